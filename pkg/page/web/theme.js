import { h } from "./dom.js";

/**
 * Light and dark. The reader's system decides until the reader does. Scripts that draw read the colours from here, and
 * draw again at a "themechange" event of the document, which also comes before and after the page is printed.
 */

const darkSystem = matchMedia("(prefers-color-scheme: dark)");

/** @type {"light" | "dark" | ""} what the reader chose, "": nothing */
let chosenTheme = "";

/** @type {Map<string, string>} */
const colorCache = new Map();

function isDark() {
	return chosenTheme === "" ? darkSystem.matches : chosenTheme === "dark";
}

/** @param {boolean} printing */
function applyTheme(printing) {
	const root = document.documentElement;
	root.dataset.theme = isDark() && !printing ? "dark" : "light";
	root.toggleAttribute("data-print", printing);
	colorCache.clear();
	document.dispatchEvent(new Event("themechange"));
}

/** Follows the system's theme, and draws in light colours for the printer. */
export function followTheme() {
	applyTheme(false);
	darkSystem.addEventListener("change", () => applyTheme(false));
	addEventListener("beforeprint", () => applyTheme(true));
	addEventListener("afterprint", () => applyTheme(false));
}

/**
 * The value of a custom property of the page, such as "--ink".
 *
 * @param {string} name
 */
export function themeColor(name) {
	let color = colorCache.get(name);
	if (color === undefined) {
		color = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
		colorCache.set(name, color);
	}
	return color;
}

/**
 * The colour of a machine, as a reference to a custom property.
 *
 * @param {number} color Machine.color
 */
export function machineProperty(color) {
	return `--machine-${color % 8}`;
}

/** A button that turns light to dark and back. */
export function themeButton() {
	const button = h("button", { class: "button icon", type: "button" });
	const show = () => {
		button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
		button.title = button.getAttribute("aria-label") ?? "";
		button.replaceChildren(themeIcon(isDark()));
	};
	button.addEventListener("click", () => {
		chosenTheme = isDark() ? "light" : "dark";
		applyTheme(false);
	});
	document.addEventListener("themechange", show);
	show();
	return button;
}

/** @param {boolean} sun */
function themeIcon(sun) {
	return sun
		? icon("M10 6.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6ZM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M4 16l1.4-1.4M14.6 5.4 16 4")
		: icon("M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7Z");
}

/**
 * A drawing of one line, 20 by 20, in the colour of the text beside it.
 *
 * @param {string} path
 */
export function icon(path) {
	const svg = svgElement("svg", { viewBox: "0 0 20 20", fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" });
	svg.append(svgElement("path", { d: path }));
	return svg;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} [attributes]
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svgElement(tag, attributes = {}) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
	return element;
}
