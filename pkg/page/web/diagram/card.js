import { h } from "../dom.js";
import { formatCount } from "../format.js";
import { logLine } from "../run.js";
import { deed, eventName, formatInstant } from "./describe.js";

/** The card beside what the pointer or the keyboard is at. It says nothing that the panel or the announcements do not. */
export class Card {
	/** @param {HTMLElement} parent */
	constructor(parent) {
		this.element = h("div", { class: "diagram-card", hidden: true, "aria-hidden": "true" });
		this.shown = "";
		parent.append(this.element);
	}

	hide() {
		this.element.hidden = true;
		this.shown = "";
	}

	/**
	 * @param {import("../run.js").RunData} run @param {number} e @param {number} x @param {number} y @param {import("./draw.js").Layout} layout @param {string} relation
	 */
	showEvent(run, e, x, y, layout, relation) {
		const key = `event ${e} ${relation}`;
		if (key !== this.shown) {
			this.element.replaceChildren(
				h("p", { class: "card-title" }, eventName(run, e), h("span", {}, deed(run, e))),
				h("p", { class: "card-facts" }, `clock ${formatCount(run.clock[e])} · queue ${formatCount(run.queue[e])} · ${formatInstant(run.micro[e])}`),
				...(relation === "" ? [] : [h("p", { class: "card-relation" }, relation)]),
				h("code", {}, logLine(run, e)));
		}
		this.shown = key;
		this.put(x, y, layout);
	}

	/** @param {string} title @param {string} text @param {number} x @param {number} y @param {import("./draw.js").Layout} layout */
	showText(title, text, x, y, layout) {
		const key = `text ${title} ${text}`;
		if (key !== this.shown) this.element.replaceChildren(h("p", { class: "card-title" }, title), h("code", {}, text));
		this.shown = key;
		this.put(x, y, layout);
	}

	/** Below what it is about, or above where there is no room. @param {number} x @param {number} y @param {import("./draw.js").Layout} layout */
	put(x, y, layout) {
		const { element } = this;
		element.hidden = false;
		const { offsetWidth: width, offsetHeight: height } = element;
		const left = Math.max(4, Math.min(layout.width - width - 4, x + 14));
		const below = y + 22;
		const top = below + height < layout.height || y - height - 22 < -60 ? below : y - height - 22;
		element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
	}
}
