import { h } from "../dom.js";

/**
 * A button that opens what belongs to it, and closes it at Escape, at a press elsewhere, or again at the button.
 *
 * @param {string} label @param {() => Node} content made anew each time it opens
 * @param {string} [title]
 * @returns {{element: HTMLElement, close: () => void, refresh: () => void}}
 */
export function popover(label, content, title = "") {
	const box = h("div", { class: "popover", hidden: true, role: "group", "aria-label": label });
	const button = h("button", { class: "button", type: "button", "aria-expanded": "false", title }, label, h("span", { class: "caret", "aria-hidden": "true" }, "▾"));
	const element = h("div", { class: "popover-frame" }, button, box);
	const refresh = () => {
		if (box.hidden) return;
		// What had the focus is made anew; the new one gets it.
		const index = [...box.querySelectorAll("button, input")].indexOf(/** @type {Element} */ (document.activeElement));
		box.replaceChildren(content());
		if (index >= 0) /** @type {HTMLElement | undefined} */ (box.querySelectorAll("button, input")[index])?.focus();
	};
	/** @param {boolean} open */
	const show = (open) => {
		if (open === !box.hidden) return;
		box.hidden = !open;
		button.setAttribute("aria-expanded", String(open));
		if (!open) {
			removeEventListener("pointerdown", outside, true);
			box.replaceChildren();
			return;
		}
		addEventListener("pointerdown", outside, true);
		box.replaceChildren(content());
		// Kept inside of the page where there is little room.
		box.style.left = "0px";
		const over = box.getBoundingClientRect().right - document.documentElement.clientWidth + 12;
		if (over > 0) box.style.left = `${-over}px`;
	};
	const outside = (/** @type {Event} */ event) => {
		if (!element.contains(/** @type {Node} */ (event.target))) show(false);
	};
	button.addEventListener("click", () => show(box.hidden));
	element.addEventListener("keydown", (event) => {
		if (event.key !== "Escape" || box.hidden) return;
		event.stopPropagation();
		show(false);
		button.focus();
	});
	return { element, close: () => show(false), refresh };
}
