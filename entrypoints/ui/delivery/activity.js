// Runs on every Gradio page, after ending.js. Sends typing as activity, and offers to stay signed in shortly before the
// session expires without activity. All times are the server's.
(() => {
  "use strict";

  const WARNING = 120_000; // Milliseconds before the end.
  const AGAIN = 10_000; // Milliseconds between two questions while the offer is shown.
  const MOST_OFTEN = 60_000; // Milliseconds between two reports of typing.
  const LONGEST = 2 ** 31 - 1; // Milliseconds of a timer.
  const { bar, check, onAnswer } = gradioappEnding;

  let pause = MOST_OFTEN;
  let timer = null;
  let reporting = null;
  let hasTyped = false;

  const offer = () => bar()?.shadowRoot?.querySelector("[data-offer]");

  function hide() {
    if (offer()?.matches(":popover-open")) offer().hidePopover();
  }

  function show(left) {
    const minutes = Math.max(1, Math.round(left / 60_000));
    const sentence = `You will be signed out in ${minutes === 1 ? "a minute" : `${minutes} minutes`}, because nothing has happened for a while.`;
    const text = offer().querySelector("p");
    if (text.textContent !== sentence) text.textContent = sentence; // Screen readers read each change.
    if (!offer().matches(":popover-open")) offer().showPopover();
  }

  // Learns the times from an answer of /api/v1/me. Without one, the dialog is shown, or the service cannot be reached.
  function learn(me) {
    clearTimeout(timer);
    if (!me) {
      hide();
      if (!gradioappEnding.isOver()) timer = setTimeout(() => check(), MOST_OFTEN);
      return;
    }
    const { seen_at, idle_at, ends_at } = me.session;
    const left = Date.parse(idle_at) - Date.parse(me.now);
    const timeout = Date.parse(idle_at) - Date.parse(seen_at);
    // No activity moves the end of a session that has reached its maximum age.
    if (idle_at === ends_at || !offer()?.showPopover) return hide();
    pause = Math.min(MOST_OFTEN, timeout / 4);
    const warning = Math.min(WARNING, timeout / 3);
    if (left > warning) hide();
    else show(left);
    timer = setTimeout(() => check(), left > warning ? Math.min(left - warning, LONGEST) : Math.min(left + 500, AGAIN));
  }

  function report() {
    hasTyped = false;
    reporting = setTimeout(() => {
      reporting = null;
      if (hasTyped) report();
    }, pause);
    check({ isActivity: true });
  }

  function notice({ isTrusted }) {
    if (!isTrusted || gradioappEnding.isOver()) return;
    hasTyped = true;
    if (reporting === null) report();
  }

  onAnswer(learn);
  addEventListener("input", notice, { capture: true, passive: true });
  addEventListener("keydown", notice, { capture: true, passive: true });
  document.addEventListener("DOMContentLoaded", () => {
    // session.js has made the bar's shadow root where the browser has not.
    queueMicrotask(() =>
      offer()
        ?.querySelector("button")
        .addEventListener("click", () => check({ isActivity: true })),
    );
  });
})();
