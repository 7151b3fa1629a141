"use strict";
(() => {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const status = document.getElementById("status");

  // A cell sorts by its data-v (numbers in full precision) and otherwise by its text.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v ?? cell.textContent.trim();
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
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    const title = head.firstElementChild.firstChild.textContent.trim();
    status.textContent = `Sorted by ${title}, ${direction}.`;
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      const first = head.dataset.first ?? "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      button.addEventListener("click", () => {
        sort(table, column, head.getAttribute("aria-sort") === first ? second : first);
      });
    });
  }

  // Paper cannot unfold anything.
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
