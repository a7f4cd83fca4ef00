// Runs on every Gradio page, after ending.js. Holds requests while nobody is signed in, follows redirects of callbacks, sends
// the cookie with requests for files, shows refusals that Gradio keeps silent about, and works the bar: its height, menus
// and name.
(() => {
  "use strict";

  const GOES_TO = "gradioapp_goes_to";
  const NEW_NAME = "gradioapp_new_name";
  const ANSWERS = /\/gradio_api\/(queue\/data|run\/|api\/)/;
  const SILENT = /\/gradio_api\/(stream\/\w+$|run\/)/;
  const SHOWN = 10_000; // Milliseconds.
  const EVENT = /\/gradio_api\/(queue\/join|run\/|api\/|call\/|component_server|stream\/)/;
  const ask = window.fetch;
  const { bar, account, whileSignedIn } = gradioappEnding;

  // Follows redirect(url) of a callback: the address is sent next to the outputs of the event.
  function go(outputs) {
    const address = outputs && outputs[GOES_TO];
    if (typeof address !== "string" || gradioappEnding.isLeaving()) return;
    const target = new URL(address, location.href);
    if (target.origin !== location.origin && target.protocol !== "https:") return;
    if (!mayShow(target)) return opensTab(target);
    gradioappEnding.leaves();
    location.assign(target);
  }

  // Returns whether this window may show the address: in a frame, of this service only the pages that may be framed too.
  function mayShow(target) {
    if (window.top === window || target.origin !== location.origin) return true;
    const framed = bar()?.shadowRoot?.querySelectorAll("#pages a[data-framed]") ?? [];
    const pages = [...framed].map((link) => link.pathname);
    return [bar()?.dataset.here, ...pages].some((page) => page && `${target.pathname}/`.startsWith(page));
  }

  function opensTab(target) {
    if (!window.open(target, "_blank")) {
      says("This leads to a page that cannot be shown here, and your browser has stopped its tab. Allow pop-ups, and try again.");
    }
  }

  // Keeps the name in the bar current, also when it is changed in another tab.
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("gradioapp") : null;
  if (tabs) tabs.onmessage = ({ data }) => data?.account === account() && shows(data.name);

  function shows(name) {
    const inside = bar()?.shadowRoot;
    if (!inside || typeof name !== "string" || !name) return;
    for (const part of inside.querySelectorAll("[data-name]")) part.textContent = name;
    inside.querySelector("[data-initial]").textContent = [...name][0].toUpperCase();
  }

  function learns(output) {
    go(output);
    const name = output && output[NEW_NAME];
    if (!name) return;
    shows(name);
    tabs?.postMessage({ account: account(), name });
  }

  const isForUs = (text) => text.includes(GOES_TO) || text.includes(NEW_NAME);

  async function listen(response) {
    const type = response.headers.get("content-type") || "";
    try {
      if (type.startsWith("application/json")) {
        const text = await response.text();
        if (isForUs(text)) learns(JSON.parse(text));
      } else if (type.startsWith("text/event-stream")) {
        let rest = "";
        for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
          const lines = (rest + piece).split("\n");
          rest = lines.pop();
          for (const line of lines) {
            if (isForUs(line)) learns(JSON.parse(line.replace(/^data: ?/, "")).output);
          }
        }
      }
    } catch {
      // Incomplete or unreadable: the caller of fetch sees it.
    }
  }

  // Not every browser supports for await on a stream.
  async function* pieces(stream) {
    const reader = stream.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  }

  // Gradio's viewer of Gaussian splats requests files without the session cookie.
  function signed(address, options) {
    if (options?.credentials !== "omit") return options;
    const { origin, pathname } = new URL(address, location.href);
    const isFile = origin === location.origin && pathname.includes("/gradio_api/file=");
    return isFile ? { ...options, credentials: "same-origin" } : options;
  }

  // Shows a refusal about which Gradio's front end says nothing: of a piece of a stream, which is repeated with every
  // piece, and of an event with queue=False.
  let toast = null;

  function says(sentence) {
    if (!toast) {
      toast = document.createElement("div");
      toast.id = "gradioapp-toast";
      toast.setAttribute("role", "alert");
      toast.style.cssText =
        "position: fixed; top: 64px; right: 16px; z-index: 10000; max-width: min(360px, calc(100vw - 32px)); " +
        "padding: 12px 16px; border: 1px solid #fca5a5; border-radius: 8px; background: #fef2f2; color: #991b1b; " +
        "font: 14px/1.4 system-ui, sans-serif; box-shadow: 0 4px 12px rgb(0 0 0 / 0.15);";
    }
    if (!toast.isConnected) document.body.append(toast);
    if (toast.textContent !== sentence) toast.textContent = sentence;
    clearTimeout(toast.hides);
    toast.hides = setTimeout(() => toast.remove(), SHOWN);
  }

  // Returns the sentence of a problem document, or of an event that failed without the queue.
  function sentenceIn(body) {
    try {
      const { type, detail, error } = JSON.parse(body);
      const sentence = String(type).startsWith("urn:gradioapp:") ? detail : error;
      return typeof sentence === "string" ? sentence : "";
    } catch {
      return "";
    }
  }

  async function tellRefusal(response) {
    try {
      const sentence = sentenceIn(await response.text());
      if (sentence) says(sentence);
    } catch {
      // Not readable: there is nothing to show.
    }
  }

  // The front end catches the error of a refused upload, except for a piece of a streaming microphone.
  addEventListener("unhandledrejection", ({ reason }) => {
    const [, problem] = /^HTTP \d+: (\{.*)$/s.exec(reason?.message) ?? [];
    const sentence = sentenceIn(problem);
    if (sentence) says(sentence);
  });

  window.fetch = async function fetch(address, options) {
    const isRequest = address instanceof Request; // Can be sent only once, if it has a body.
    const send = () => ask.call(window, isRequest ? address.clone() : address, signed(address, options));
    const response = await whileSignedIn(send, EVENT.test(isRequest ? address.url : address));
    if (!response.ok && SILENT.test(response.url)) tellRefusal(response.clone());
    else if (response.ok && ANSWERS.test(response.url)) listen(response.clone());
    return response;
  };

  // In a frame, links to pages that may not be framed open a new tab, and the service learns which page to come back to
  // after a sign-out.
  function leadsOutOfTheFrame(inside) {
    for (const link of inside.querySelectorAll("header a:not([data-framed])")) {
      link.target = "_blank";
      link.rel = "noopener";
      link.addEventListener("click", () => link.closest("[popover]")?.hidePopover());
    }
    const form = inside.querySelector("form");
    const action = form.getAttribute("action");
    form.addEventListener("submit", () => {
      const here = location.pathname + location.search + location.hash;
      form.action = `${action}?next=${encodeURIComponent(here)}`;
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const host = bar();
    if (!host) return;
    tabs?.postMessage({ account: account() }); // Frames that were signed out load again.
    const template = host.querySelector("template"); // Only there if the browser does not support declarative shadow roots.
    if (template) {
      host.attachShadow({ mode: "open" }).append(template.content);
      template.remove();
    }
    if (window.top !== window) leadsOutOfTheFrame(host.shadowRoot);
    gradioappEnding.prepares();
    gradioappEnding.onAnswer((me) => shows(me?.name));
    addEventListener("load", () => gradioappEnding.check());
    // The height of our bar, below which a sidebar has to begin.
    const tell = () =>
      document.documentElement.style.setProperty("--gradioapp-bar-height", `${host.offsetHeight}px`);
    new ResizeObserver(tell).observe(host); // Also calls tell once at the start.
    for (const menu of host.shadowRoot.querySelectorAll("[popovertarget] + [popover]")) {
      menu.addEventListener("beforetoggle", ({ newState }) => newState === "open" && places(menu));
      // A turned phone, for example.
      addEventListener("resize", () => menu.matches(":popover-open") && places(menu));
    }
  });

  // Places a menu below its button and within the window.
  function places(menu) {
    const { left, right, bottom } = menu.previousElementSibling.getBoundingClientRect();
    const isOnTheRight = left > innerWidth / 2;
    const isNarrow = innerWidth < 480;
    menu.style.top = `${Math.max(bottom + 4, 4)}px`;
    menu.style.maxHeight = `calc(100dvh - ${Math.max(bottom + 12, 12)}px)`;
    menu.style.left = isNarrow ? "8px" : isOnTheRight ? "auto" : `${left}px`;
    menu.style.right = isNarrow ? "8px" : isOnTheRight ? `${document.documentElement.clientWidth - right}px` : "auto";
    menu.style.width = isNarrow ? "auto" : "max-content";
  }
})();
