// Uses the report as a reader would; what it saw is read by the test from the element #selftest.
addEventListener("load", async () => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const seen = {};
  const type = (input, text) => { input.value = text; input.dispatchEvent(new Event("input", { bubbles: true })); };
  const press = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const nextTask = () => new Promise((resolve) => setTimeout(resolve, 20));
  try {
    const table = $("table.board");
    const rows = () => [...table.tBodies[0].rows];
    const order = () => rows().map((row) => row.cells[1].firstChild.textContent.trim());
    const head = (index) => table.tHead.rows[0].cells[index];
    const click = (index) => { $("button", head(index)).click(); return [order(), head(index).getAttribute("aria-sort")]; };
    seen.before = order();
    seen.sorted = head(0).getAttribute("aria-sort");
    seen.byScore = click(2);
    seen.byScoreAgain = click(2);
    const latency = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.includes("Latency"));
    seen.byLatency = click(latency);
    seen.byLatencyAgain = click(latency);
    seen.byName = click(1);
    seen.marked = all("th[aria-sort]", table).length;
    seen.said = $("#status").textContent;
    $("button", head(3)).focus();
    seen.focus = document.activeElement === $("button", head(3));

    const visible = () => rows().filter((row) => !row.hidden);
    type($("input[data-filter]"), "net- STREETS");
    seen.filtered = [visible().map((row) => row.cells[1].firstChild.textContent.trim()).filter((name) => /\d/.test(name)), $("[data-count]").textContent];
    type($("input[data-filter]"), "");
    seen.unfiltered = visible().length;
    const loss = $("th.f-training", table);
    const box = $("input[value=f-training]");
    seen.lossHidden = [getComputedStyle(loss).display === "none"];
    box.click();
    seen.lossHidden.push(getComputedStyle(loss).display === "none");
    box.click();

    const images = $(".images");
    const names = () => all("tbody th", images).map((cell) => cell.textContent);
    seen.imageColumns = all("thead th", images).map((cell) => cell.textContent);
    seen.hardest = names()[0];
    type($("input", images), "_3");
    seen.found = [names(), $("output", images).textContent];
    type($("input", images), "");

    // The second row is sky, its first cell what was predicted as road.
    const cell = $("table.matrix tbody tr:nth-child(2) td[data-i]");
    cell.click();
    seen.places = all(".where li").map((item) => item.firstChild.textContent);
    cell.focus();
    press(cell, "ArrowRight");
    seen.arrow = document.activeElement !== cell && document.activeElement.matches("td[data-i]");
    $(".where button").click();
    const viewer = $("#viewer");
    const shown = () => $(".shown", viewer).textContent;
    seen.viewer = [viewer.open, $("#viewer-title").textContent, shown()];
    seen.runs = all("[data-do=first] option", viewer).map((option) => option.textContent);
    press(viewer, "s");
    seen.swapped = shown();
    press(viewer, "3");
    seen.prediction = shown();
    const blink = $("[data-do=blink]", viewer);
    press(viewer, "b");
    const before = shown();
    await new Promise((resolve) => setTimeout(resolve, 800));
    seen.blinking = [blink.getAttribute("aria-pressed") === "true", shown() !== before];
    press(viewer, "b");
    seen.blinking.push(blink.getAttribute("aria-pressed") === "true");
    $("[data-do=close]", viewer).click();
    seen.closed = viewer.open;
    const link = $('a[href^="#run-"]');
    link.click();
    await nextTask();
    seen.unfolded = document.getElementById(link.hash.slice(1)).open;

    seen.images = [...document.images].filter((image) => image.hasAttribute("src")).every((image) => image.naturalWidth > 0);
    seen.dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const brightness = (color) => {
      const [red, green, blue] = color.match(/[\d.]+/g).map(Number);
      return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
    };
    seen.page = brightness(getComputedStyle(document.body).backgroundColor);
    seen.ink = brightness(getComputedStyle(document.body).color);
    seen.width = innerWidth;
    // What reaches beyond the window must lie in a part that scrolls by itself.
    seen.sideways = all("body *")
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll, .hidden, dialog"))
      .slice(0, 5)
      .map((element) => element.tagName + "." + element.className);
    seen.loaded = performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:"));
  } catch (error) {
    failures.push(String(error.stack));
  }
  seen.failures = failures;
  const pre = document.createElement("pre");
  pre.id = "selftest";
  pre.textContent = JSON.stringify(seen);
  document.body.append(pre);
});
