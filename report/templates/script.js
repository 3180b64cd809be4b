// Beside the pointer: what the plot says of the nearest of its marks.
"use strict";
const tip = document.getElementById("tip");
const FAR = 60; // pixels from a mark at which nothing is said

for (const svg of document.querySelectorAll(".canvas svg")) {
  const marks = [...svg.querySelectorAll("g.tt")].map((element) => {
    const title = element.querySelector("title");
    const text = title.textContent;
    title.remove(); // else the browser shows it, too
    return { element, text };
  });
  let near = null;
  const show = (mark, event) => {
    if (near !== mark) {
      near?.element.classList.remove("near");
      mark?.element.classList.add("near");
      near = mark;
    }
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.text;
    const { width, height } = tip.getBoundingClientRect();
    const right = event.clientX + 14 + width < innerWidth;
    const below = event.clientY + 14 + height < innerHeight;
    tip.style.left = `${Math.max(4, right ? event.clientX + 14 : event.clientX - 14 - width)}px`;
    tip.style.top = `${Math.max(4, below ? event.clientY + 14 : event.clientY - 14 - height)}px`;
  };
  const distance = ({ element }, event) => {
    const box = element.getBoundingClientRect();
    const beyond = (low, high, at) => Math.max(low - at, 0, at - high);
    return Math.hypot(
      beyond(box.left, box.right, event.clientX),
      beyond(box.top, box.bottom, event.clientY),
    );
  };
  const nearest = (event) => {
    let best = null;
    let least = FAR;
    for (const mark of marks) {
      const far = distance(mark, event);
      if (far < least) [best, least] = [mark, far];
    }
    show(best, event);
  };
  let frame = 0; // pointers move more often than the screen is drawn
  svg.addEventListener("pointermove", (event) => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => nearest(event));
  });
  svg.addEventListener("pointerdown", nearest);
  svg.addEventListener("pointerleave", () => {
    cancelAnimationFrame(frame);
    show(null);
  });
}

const button = document.getElementById("theme");
const root = document.documentElement;
let dark = matchMedia("(prefers-color-scheme: dark)").matches;
const label = () => (button.textContent = dark ? "light" : "dark");
button.addEventListener("click", () => {
  dark = !dark;
  root.style.colorScheme = dark ? "dark" : "light";
  label();
});
button.hidden = false;
label();
