// On every Gradio page: when the session has ended, to the sign-in page, and from there back to here; and what Gradio's own
// page does not know of ours: redirects of callbacks, whose files are whose, the height of the bar.
(() => {
  "use strict";

  const TRIES = "gradioapp-sign-ins";
  const MOST_TRIES = 3;
  const WITHIN = 30_000; // Milliseconds.
  const GOES_TO = "gradioapp_goes_to";
  const ANSWERS = /\/gradio_api\/(queue\/data|run\/|api\/)/;
  const ask = window.fetch;
  let isLeaving = false;

  // A page that is sent away again and again stays where it is.
  function mayLeave() {
    try {
      const now = Date.now();
      const before = JSON.parse(sessionStorage.getItem(TRIES) || "[]");
      const recent = before.filter((then) => now - then < WITHIN);
      if (recent.length >= MOST_TRIES) return false;
      sessionStorage.setItem(TRIES, JSON.stringify([...recent, now]));
    } catch {
      // No storage: the sign-in page is a stop anyway.
    }
    return true;
  }

  function leave(login) {
    if (isLeaving || typeof login !== "string" || !/^\/[^/\\]/.test(login) || !mayLeave()) return;
    isLeaving = true;
    const here = location.pathname + location.search + location.hash;
    location.assign(`${login}?next=${encodeURIComponent(here)}`);
  }

  async function look(response) {
    const type = response.headers.get("content-type") || "";
    const isOurs = response.status === 401 && type.startsWith("application/problem+json");
    if (!isOurs || new URL(response.url).origin !== location.origin) return;
    try {
      leave((await response.clone().json()).login);
    } catch {
      // Not readable: whoever asked sees the 401.
    }
  }

  // redirect(url) of a callback: the address travels beside the outputs of the event.
  function go(outputs) {
    const address = outputs && outputs[GOES_TO];
    if (typeof address !== "string" || isLeaving) return;
    const target = new URL(address, location.href);
    if (target.origin !== location.origin && target.protocol !== "https:") return;
    isLeaving = true;
    location.assign(target);
  }

  async function listen(response) {
    const type = response.headers.get("content-type") || "";
    try {
      if (type.startsWith("application/json")) {
        const text = await response.text();
        if (text.includes(GOES_TO)) go(JSON.parse(text));
      } else if (type.startsWith("text/event-stream")) {
        let rest = "";
        for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream()))) {
          const lines = (rest + piece).split("\n");
          rest = lines.pop();
          for (const line of lines) {
            if (line.includes(GOES_TO)) go(JSON.parse(line.replace(/^data: ?/, "")).output);
          }
        }
      }
    } catch {
      // Cut off or unreadable: whoever asked sees it.
    }
  }

  // Not every browser can walk a stream by itself.
  async function* pieces(stream) {
    const reader = stream.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  }

  // Gradio's viewer of splats asks without the cookie that says whose they are.
  function signed(address, options) {
    if (options?.credentials !== "omit") return options;
    const { origin, pathname } = new URL(address, location.href);
    const isFile = origin === location.origin && pathname.includes("/gradio_api/file=");
    return isFile ? { ...options, credentials: "same-origin" } : options;
  }

  window.fetch = async function fetch(address, options) {
    const response = await ask.call(window, address, signed(address, options));
    if (response.status === 401) look(response);
    else if (response.ok && ANSWERS.test(response.url)) listen(response.clone());
    return response;
  };

  // How far down a sidebar has to begin.
  document.addEventListener("DOMContentLoaded", () => {
    const bar = document.querySelector(".gradioapp-bar");
    if (!bar) return;
    const tell = () =>
      document.documentElement.style.setProperty("--gradioapp-bar-height", `${bar.offsetHeight}px`);
    new ResizeObserver(tell).observe(bar); // Tells at once, too.
  });

  // Whether the session holds, and is still that of the account whose page this is.
  async function check() {
    try {
      const headers = { Accept: "application/json", "X-Gradioapp-Passive": "1" };
      const response = await ask.call(window, "/api/v1/me", { headers, cache: "no-store" });
      await look(response);
      const here = document.querySelector(".gradioapp-who")?.dataset.account;
      if (response.ok && here && (await response.json()).id !== here && mayLeave()) location.reload();
    } catch {
      // Offline.
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") check();
  });

  // Back to a page that the browser had put aside.
  addEventListener("pageshow", (shown) => {
    if (shown.persisted) check();
  });
})();
