"use strict";
(() => {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const status = document.getElementById("status");
  const say = (text) => { status.textContent = text; };
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const boards = JSON.parse(document.getElementById("data").textContent);

  // ---- Sorting. A cell sorts by its data-v (numbers in full precision) and otherwise by its text.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v ?? cell.textContent.trim();
  };

  const mark = (head, direction) => {
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    say(`Sorted by ${head.firstElementChild.firstChild.textContent.trim()}, ${direction}.`);
  };

  const sort = (table, column, direction) => {
    const head = table.tHead.rows[0].cells[column];
    const isNumber = head.classList.contains("n");
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      // What was not measured stands last in either direction.
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (isNumber ? Number(x) - Number(y) : collator.compare(x, y));
    });
    table.tBodies[0].append(...rows);
    mark(head, direction);
  };

  const makeSortable = (head, sorted) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    const first = head.dataset.first ?? "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    button.addEventListener("click", () => sorted(head.getAttribute("aria-sort") === first ? second : first));
  };

  for (const table of all("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      makeSortable(head, (direction) => sort(table, column, direction));
    });
  }

  // ---- The leaderboard's filter and families of columns.
  for (const tools of all(".tools")) tools.hidden = false;
  for (const input of all("input[data-filter]")) {
    const table = document.getElementById(input.dataset.filter);
    const count = document.querySelector(`[data-count="${input.dataset.filter}"]`);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = [...table.tBodies[0].rows];
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = words.length ? `${shown} of ${rows.length} runs` : "";
    });
  }
  for (const families of all("[data-families]")) {
    const table = document.getElementById(families.dataset.families);
    const show = () => {
      for (const box of all("input", families)) table.classList.toggle(`no-${box.value}`, !box.checked);
    };
    families.addEventListener("change", show);
    show();
  }

  // ---- The viewer: one image large, layer by layer, two runs in turns.
  const viewer = document.getElementById("viewer");
  const part = (name) => viewer.querySelector(`[data-do="${name}"]`);
  const examples = all(".example");
  const names = new Map();
  for (const board of boards) board.runs.forEach((run, index) => names.set(run, board.labels[index]));
  const layer = () => viewer.querySelector("input[name=layer]:checked").value;
  const picture = (example, kind, run) =>
    example.querySelector(`img[data-kind="${kind}"]${run === undefined ? "" : `[data-run="${run}"]`}`);
  let open = { example: 0, timer: 0 };

  const draw = () => {
    const example = examples[open.example];
    const kind = layer();
    const [base, top] = all(".stage img", viewer);
    base.src = picture(example, "image").src;
    const isOfRun = kind === "prediction" || kind === "error";
    const run = part("first").value;
    const shown = kind === "image" ? null : picture(example, kind, isOfRun ? run : undefined);
    top.hidden = !shown;
    if (shown) top.src = shown.src;
    top.style.opacity = part("opacity").value / 100;
    base.alt = picture(example, "image").alt;
    top.alt = shown?.alt ?? "";
    document.getElementById("viewer-title").textContent = example.querySelector("h3").textContent;
    const caption = shown?.closest("figure").querySelector("figcaption").textContent;
    viewer.querySelector(".shown").textContent = caption ?? (isOfRun ? "This run kept no picture of this image." : "Photo");
  };

  const runsOf = (example) => [...new Set(all("img[data-run]", example).map((image) => Number(image.dataset.run)))];
  const nameOf = (example, run) => {
    const caption = picture(example, "prediction", run).closest("figure").querySelector("figcaption");
    return names.get(run) ?? caption.textContent.replace(/^Prediction\s*/, "");
  };

  const fill = (run) => {
    const example = examples[open.example];
    const runs = runsOf(example);
    const kept = [run, Number(part("second").value)].map((wish, place) => (runs.includes(wish) ? wish : runs[place] ?? runs[0]));
    if (kept[0] === kept[1] && runs.length > 1) kept[1] = runs.find((other) => other !== kept[0]);
    ["first", "second"].forEach((name, place) => {
      part(name).replaceChildren(...runs.map((other) =>
        make("option", { value: other, textContent: nameOf(example, other), selected: other === kept[place] })));
    });
    for (const name of ["second", "swap", "blink"]) part(name).disabled = runs.length < 2;
    draw();
  };

  const swap = () => {
    [part("first").value, part("second").value] = [part("second").value, part("first").value];
    draw();
  };
  const stop = () => {
    clearInterval(open.timer);
    open.timer = 0;
    part("blink").setAttribute("aria-pressed", "false");
  };
  const blink = () => {
    if (open.timer) return stop();
    if (part("blink").disabled) return;
    open.timer = setInterval(swap, 700);
    part("blink").setAttribute("aria-pressed", "true");
  };
  const step = (by) => {
    open.example = (open.example + by + examples.length) % examples.length;
    fill(Number(part("first").value));
  };
  const show = (example, run, kind) => {
    open.example = example;
    if (kind) viewer.querySelector(`input[name=layer][value="${kind}"]`).checked = true;
    fill(run);
    if (!viewer.open) viewer.showModal();
  };

  viewer.addEventListener("close", stop);
  viewer.addEventListener("input", draw);
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) return viewer.close();
    const actions = { close: () => viewer.close(), swap, blink, previous: () => step(-1), next: () => step(1) };
    actions[event.target.dataset?.do]?.();
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.target.type === "range" || event.ctrlKey || event.metaKey || event.altKey) return;
    const layers = all("input[name=layer]", viewer);
    if (/^[1-4]$/.test(event.key)) { layers[event.key - 1].checked = true; draw(); }
    else if (event.key === "b" || event.key === "B") blink();
    else if (event.key === "s" || event.key === "S") swap();
    else if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else return;
    event.preventDefault();
  });

  examples.forEach((example, number) => {
    for (const image of all("img", example)) {
      const run = image.dataset.run === undefined ? runsOf(example)[0] : Number(image.dataset.run);
      const button = make("button", { type: "button", className: "picture" });
      button.setAttribute("aria-label", `Open ${image.alt}`);
      image.replaceWith(button);
      button.append(image);
      // Errors lie over the photo, which stands in the page once.
      if (image.dataset.kind === "error") {
        button.prepend(make("img", { src: picture(example, "image").src, alt: "", className: "under" }));
      }
      button.addEventListener("click", () => show(number, run, image.dataset.kind));
    }
  });

  // ---- Single images: a table of what was asked for, because there may be thousands.
  const ROWS = 20;
  const percent = (tenths) => (tenths / 10).toFixed(1);
  const imageButton = (board, image, run, kind) => {
    const example = board.examples[image];
    if (example === null) return document.createTextNode(board.ids[image]);
    const button = make("button", { type: "button", className: "open", textContent: board.ids[image] });
    button.addEventListener("click", () => show(example, run, kind));
    return button;
  };

  for (const place of all(".images[data-board]")) {
    const board = boards[place.dataset.board];
    const rows = board.ids.map((id, image) => {
      const scores = board.scores.map((run) => run[image]);
      const there = scores.filter((score) => score !== null);
      const mean = there.length ? there.reduce((sum, score) => sum + score, 0) / there.length : null;
      const spread = there.length ? Math.max(...there) - Math.min(...there) : null;
      return { id, image, scores, mean, spread };
    });
    const columns = [["Image", (row) => row.id]];
    if (board.runs.length > 1) columns.push(["Mean", (row) => row.mean], ["Spread", (row) => row.spread]);
    board.labels.forEach((label, run) => columns.push([label, (row) => row.scores[run]]));
    let [by, direction, most, words] = [1, "ascending", ROWS, ""];

    const head = make("tr");
    const body = make("tbody");
    const more = make("button", { type: "button", className: "more" });
    const input = make("input", { type: "search", placeholder: "part of a name", autocomplete: "off", spellcheck: false });
    const count = make("output", { className: "soft" });

    const update = () => {
      const found = rows.filter((row) => row.id.toLowerCase().includes(words));
      const sign = direction === "ascending" ? 1 : -1;
      const get = columns[by][1];
      found.sort((a, b) => {
        const [x, y] = [get(a), get(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return (by === 0 ? sign * collator.compare(x, y) : sign * (x - y)) || a.image - b.image;
      });
      body.replaceChildren(...found.slice(0, most).map((row) => {
        const name = make("th", { scope: "row" }, imageButton(board, row.image, board.runs[0], "error"));
        const cells = columns.slice(1).map(([, get], index) => {
          const score = get(row);
          const cell = make("td", { textContent: score === null ? "–" : percent(score) });
          const isHeat = columns.length < 3 || index !== 1;
          cell.className = score === null ? "none" : isHeat ? `v${score >= 470 ? " mid" : ""}${score >= 680 ? " hi" : ""}` : "n";
          if (score !== null && isHeat) cell.style.setProperty("--v", score / 1000);
          return cell;
        });
        return make("tr", {}, name, ...cells);
      }));
      more.hidden = found.length <= most;
      more.textContent = `Show ${Math.min(5 * ROWS, found.length - most)} more`;
      count.textContent = `${Math.min(most, found.length)} of ${found.length} images${words ? " found" : ""}`;
    };

    columns.forEach(([title], column) => {
      const cell = make("th", { scope: "col", className: column ? "n" : "" }, make("span", { textContent: title }));
      cell.dataset.first = "ascending";
      head.append(cell);
      makeSortable(cell, (wanted) => { [by, direction] = [column, wanted]; update(); mark(cell, wanted); });
    });
    head.cells[1].setAttribute("aria-sort", "ascending");
    input.addEventListener("input", () => { words = input.value.toLowerCase(); most = ROWS; update(); });
    more.addEventListener("click", () => { most += 5 * ROWS; update(); });
    const table = make("table", { className: "heat images-table" }, make("thead", {}, head), body);
    const scroll = make("div", { className: "scroll", tabIndex: 0 }, table);
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "mIoU of single images");
    const find = make("label", { className: "find", textContent: "Find " });
    find.append(input);
    place.replaceChildren(make("div", { className: "tools" }, find, count), scroll, more);
    update();
  }

  // ---- Confusions: a cell opens the images it comes from. One cell per matrix is a tab stop, arrows move on.
  for (const table of all("table.matrix[data-board]")) {
    const board = boards[table.dataset.board];
    const run = Number(table.dataset.run);
    const cells = all("td[data-i]", table);
    const where = make("div", { className: "where note" });
    where.setAttribute("role", "status");
    table.parentElement.after(where);
    const tell = (cell) => {
      const list = make("ol");
      for (const place of cell.dataset.i.split(" ")) {
        const [image, pixels] = place.split(":").map(Number);
        list.append(make("li", {}, imageButton(board, image, run, "error"), `: ${pixels.toLocaleString("en").replaceAll(",", "\u2009")} pixels`));
      }
      where.replaceChildren(make("p", { textContent: `${cell.title}. Most of it is in:` }), list);
      for (const other of cells) other.classList.toggle("chosen", other === cell);
    };
    cells.forEach((cell, index) => {
      cell.tabIndex = index ? -1 : 0;
      cell.setAttribute("role", "button");
      cell.addEventListener("click", () => tell(cell));
    });
    table.addEventListener("keydown", (event) => {
      const cell = event.target.closest("td[data-i]");
      if (!cell) return;
      const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      if (event.key === "Enter" || event.key === " ") tell(cell);
      else if (event.key in moves) {
        const [down, right] = moves[event.key];
        let [y, x] = [cell.parentElement.rowIndex, cell.cellIndex];
        let next;
        do {
          [y, x] = [y + down, x + right];
          next = table.rows[y]?.cells[x];
        } while (next && !next.dataset.i);
        if (!next || y === 0) return;
        cell.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      } else return;
      event.preventDefault();
    });
  }

  // ---- A link to a folded part unfolds it; paper cannot unfold anything.
  const unfold = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target?.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", unfold);
  for (const link of all('a[href^="#run-"]')) link.addEventListener("click", () => setTimeout(unfold));
  unfold();
  addEventListener("beforeprint", () => {
    for (const details of all("details")) details.open = true;
  });
})();
