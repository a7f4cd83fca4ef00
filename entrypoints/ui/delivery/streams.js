// Runs on every Gradio page, between ending.js and session.js. Resumes a stream whose connection was cut, for example by a proxy that
// closes each connection after a minute. Gradio's front end does not notice: it reads one stream without an end.
(() => {
  "use strict";

  const STREAM = /^(.*\/gradio_api\/)(?:queue\/data|heartbeat\/([^/]+))$/;
  const EXPIRED = /^data: ?\{"msg":"unexpected_error".*"session_not_found":true/;
  const LOST = [
    {
      msg: "log",
      event_id: null,
      level: "error",
      title: "Session ended",
      log: "Your session ended while this was running, and the result is lost. Run it again.",
      duration: null,
      visible: true,
    },
    { msg: "unexpected_error", event_id: null, message: "Lost.", session_not_found: false, success: false },
    { msg: "close_stream", event_id: null },
  ].map((message) => `data: ${JSON.stringify(message)}\n\n`);
  const LAST = /^data: ?\{"msg":"(close_stream|unexpected_error)"/;
  const PAUSES = [0, 250, 500, 1000, 2000, 4000]; // Milliseconds before each attempt.
  const LIVED = 1000; // Milliseconds after which a connection counts as one that worked.
  const PATIENCE = 30_000; // Milliseconds for which the server waits too.
  const ask = window.fetch;
  const closing = new Set(); // The addresses to which the end of an open tab is reported.

  const wait = (time) => new Promise((done) => setTimeout(done, time));

  const isStream = (response) =>
    response.ok && (response.headers.get("content-type") || "").startsWith("text/event-stream");

  // Not every browser supports for await on a stream.
  async function* pieces(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  }

  // Yields each message without the blank line after it.
  async function* messages(response) {
    let parts = [];
    for await (const piece of pieces(response)) {
      parts.push(piece);
      if (!piece.includes("\n")) continue; // Joining each piece of a large message would take long.
      const blocks = parts.join("").split("\n\n");
      parts = [blocks.pop()];
      for (const block of blocks) if (block.trim()) yield block.replace(/^\n+/, "");
    }
  }

  function follow(request, tab) {
    const name = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16)).join("-");
    let after = null; // The number of the last message that has arrived.
    let attempt = 0;
    const isOfEvents = request.url.includes("/queue/data");
    const leaving = new AbortController();
    request.signal.addEventListener("abort", () => leaving.abort());

    async function connect() {
      const headers = new Headers(request.headers);
      headers.set("X-Gradioapp-Stream", name);
      if (after !== null) headers.set("Last-Event-ID", after);
      after ??= 0;
      return ask.call(window, new Request(request, { headers, signal: leaving.signal }));
    }

    // Tries again until the server answers.
    async function connected() {
      for (const since = Date.now(); ; ) {
        const pause = PAUSES[Math.min(attempt++, PAUSES.length - 1)];
        if (pause) await wait(pause); // Browsers delay even a pause of 0 in hidden tabs.
        let failure;
        try {
          const response = await gradioappEnding.whileSignedIn(connect, isOfEvents);
          if (response.ok || (response.status < 500 && response.status !== 429)) return response;
          failure = new Error(`The server answered with ${response.status}.`);
        } catch (error) {
          failure = error;
        }
        if (leaving.signal.aborted || Date.now() - since > PATIENCE) throw failure;
      }
    }

    async function forward(response, controller) {
      const encoder = new TextEncoder();
      for (let isOver = false; ; response = await connected()) {
        if (response.status === 409 && isOfEvents) {
          // The session has ended, and the server no longer has the events of the tab.
          for (const message of LOST) controller.enqueue(encoder.encode(message));
          return;
        }
        if (!isStream(response)) throw new Error(`The server answered with ${response.status}, and no stream.`);
        const since = Date.now();
        try {
          for await (const message of messages(response)) {
            const [, number, text] = /^(?:id: (\d+)\n)?([^]*)$/.exec(message);
            if (number) after = Number(number);
            // Gradio's front end would load the page anew, and what was typed would be gone.
            if (EXPIRED.test(text) && (await gradioappEnding.hasEnded())) {
              for (const lost of LOST) controller.enqueue(encoder.encode(lost));
              return;
            }
            controller.enqueue(encoder.encode(`${text}\n\n`));
            isOver ||= LAST.test(text);
          }
        } catch (error) {
          if (leaving.signal.aborted) throw error;
        }
        if (isOver) return;
        // With another session, the heartbeat would begin the tab anew, and the page could not find out that it was lost.
        if (!isOfEvents && !leaving.signal.aborted) await gradioappEnding.check();
        if (Date.now() - since >= LIVED) attempt = 0;
      }
    }

    return connected().then((first) => {
      if (first.status === 409 && isOfEvents)
        return new Response(LOST.join(""), { headers: { "content-type": "text/event-stream" } });
      if (!isStream(first)) return first;
      closing.add(`${tab}/close`);
      gradioappEnding.hasTab(tab);
      const start = (controller) => {
        forward(first, controller)
          .then(() => controller.close())
          .catch((error) => controller.error(error));
      };
      const body = new ReadableStream({ start, cancel: () => leaving.abort() });
      const response = new Response(body, { status: first.status, headers: first.headers });
      Object.defineProperty(response, "url", { value: first.url });
      return response;
    });
  }

  window.fetch = function fetch(address, options) {
    if (!(address instanceof Request)) return ask.call(window, address, options);
    const { origin, pathname, searchParams } = new URL(address.url);
    const found = origin === location.origin && STREAM.exec(pathname);
    if (!found) return ask.call(window, address, options);
    const tab = found[2] ?? encodeURIComponent(searchParams.get("session_hash"));
    return follow(new Request(address, options), `${origin}${found[1]}heartbeat/${tab}`);
  };

  // The server would wait for a page that will not come back. A page that the browser keeps may come back.
  addEventListener("pagehide", ({ persisted }) => {
    if (!persisted) for (const address of closing) navigator.sendBeacon(address);
  });
})();
