"use strict";
// The controls that every page has: `show(step)` draws a step, whatever was shown before.
const $ = (id) => document.getElementById(id);
const DATA = JSON.parse($("data").textContent);

function player(count, show, say) {
  let at = -1;
  let timer = null;
  const go = (to) => {
    const step = Math.max(0, Math.min(count - 1, to));
    if (step === at) return;
    at = step;
    $("slider").value = at;
    $("count").textContent = `${at + 1} / ${count}`;
    $("slider").setAttribute("aria-valuetext", say(at));
    $("first").disabled = $("back").disabled = at === 0;
    $("next").disabled = $("end").disabled = at === count - 1;
    show(at);
    // While it plays, a reader would have no time for the sentences.
    if (timer === null) $("say").textContent = say(at);
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    $("play").textContent = "Play";
    $("play").setAttribute("aria-label", "Play");
  };
  const tick = () => {
    go(at + 1);
    if (at === count - 1) {
      stop();
      $("say").textContent = say(at);
    }
  };
  const start = () => {
    clearInterval(timer);
    timer = setInterval(tick, Number($("speed").value));
    $("play").textContent = "Pause";
    $("play").setAttribute("aria-label", "Pause");
    if (at === count - 1) go(0);
  };
  const move = (to) => { stop(); go(to); };
  $("play").onclick = () => (timer === null ? start() : stop());
  $("first").onclick = () => move(0);
  $("back").onclick = () => move(at - 1);
  $("next").onclick = () => move(at + 1);
  $("end").onclick = () => move(count - 1);
  $("slider").oninput = () => move(Number($("slider").value));
  $("speed").onchange = () => timer !== null && start();
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    // The slider and the choice of speed have these keys already, and buttons have space.
    const on = event.target.tagName;
    if (on === "SELECT" || (on === "INPUT" && event.key !== " ")) return;
    if (on === "BUTTON" && event.key === " ") return;
    const keys = {
      ArrowLeft: () => move(at - 1),
      ArrowRight: () => move(at + 1),
      Home: () => move(0),
      End: () => move(count - 1),
      " ": () => $("play").click(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  const wanted = () => {
    const found = /step=(\w+)/.exec(location.hash);
    document.body.classList.toggle("plain", /plain/.test(location.hash));
    return found === null ? 0 : found[1] === "last" ? count - 1 : Number(found[1]) || 0;
  };
  window.addEventListener("hashchange", () => move(wanted()));
  go(wanted());
}
