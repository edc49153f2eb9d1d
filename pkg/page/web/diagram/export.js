import { h } from "../dom.js";
import { formatCount, formatPlural } from "../format.js";
import { copyText } from "../head.js";
import { logLine } from "../run.js";
import { sizeCanvas } from "./draw.js";
import { countShapes, figureShapes, mostTikzShapes, svgOf, tikzOf } from "./figure.js";
import { drawOverlay } from "./overlay.js";
import { firstAbove, firstAtLeast } from "./scale.js";
import { readPalette } from "./theme.js";

/**
 * The current view, to take along.
 *
 * @typedef {object} View
 * @property {import("../run.js").RunData} run
 * @property {import("./draw.js").Frame} frame
 * @property {import("./overlay.js").Overlay} overlay
 * @property {import("./overlay.js").Where} where
 * @property {import("./draw.js").Painter} painter
 * @property {(context: CanvasRenderingContext2D) => () => void} underMarks
 * @property {{from: number, to: number}} range
 * @property {import("./axis.js").Axis} axis
 * @property {import("./rows.js").Rows} rows
 * @property {HTMLElement} parent
 */

const mostLines = 50000;
const pngScale = 3;

/** @param {"svg" | "png" | "tikz" | "chosen" | "view"} what @param {View} view @param {(text: string) => void} announce */
export function exportView(what, view, announce) {
	const { frame, run } = view;
	const name = fileName(run.head.name);
	const overlay = still(view.overlay);
	if (what === "png") {
		pictureOf(view, overlay).toBlob((blob) => {
			if (blob) save(blob, `${name}.png`);
			announce(blob ? "The picture is saved." : "The browser could not make the picture.");
		});
		return;
	}
	if (what === "chosen" || what === "view") {
		const events = what === "chosen" ? chosenEvents(overlay, run) : eventsInSight(view);
		const text = events.slice(0, mostLines).map((e) => logLine(run, e) + "\n").join("");
		const title = what === "chosen" ? "Log lines of what is chosen" : "Log lines of what is in sight";
		const more = events.length > mostLines ? `The first ${formatCount(mostLines)} of ${formatPlural(events.length, "line")}.` : formatPlural(events.length, "line");
		showTextDialog(view, announce, title, events.length === 0 ? "Nothing is chosen: choose an event, two events or a message first." : more, text, `${name}.log`);
		return;
	}
	if (what === "svg") {
		save(new Blob([svgText(view)], { type: "image/svg+xml" }), `${name}.svg`);
		announce("The picture is saved.");
		return;
	}
	// Paper is white.
	const shapes = figureShapes({ ...frame, palette: lightPalette(view.parent) }, overlay, view.where);
	if (countShapes(shapes) > mostTikzShapes) {
		showTextDialog(view, announce, "Figure for LaTeX (TikZ)", `This view has ${formatCount(countShapes(shapes))} shapes, more than TeX takes in a reasonable time. Zoom in, or hide machines, or take the SVG.`, "", `${name}.tex`);
		return;
	}
	const { width, height } = frame.layout;
	showTextDialog(view, announce, "Figure for LaTeX (TikZ)", "Needs \\usepackage{tikz} and \\usetikzlibrary{arrows.meta}.", tikzOf(shapes, { width, height, note: `${run.head.name}: ${run.head.again}` }), `${name}.tex`);
}

/** Without what is only there while the pointer is. @param {import("./overlay.js").Overlay} overlay */
function still(overlay) {
	return { ...overlay, hover: -1, hoverMessage: -1, cursor: null, keyboard: false };
}

/** @param {View} view */
function svgText({ run, frame, overlay, where }) {
	const { width, height } = frame.layout;
	return svgOf(figureShapes(frame, still(overlay), where), {
		width, height, background: frame.palette.surface, font: "Helvetica, Arial, sans-serif", title: `Space-time diagram of ${run.head.name}`,
	});
}

/**
 * The current view as an element. Printers get this one, since a canvas that is drawn before a page is printed comes out in
 * parts, or coarse.
 *
 * @param {View} view
 * @returns {Node}
 */
export function svgNode(view) {
	// It is parsed as XML, of which svgText has escaped every text.
	return document.importNode(new window.DOMParser().parseFromString(svgText(view), "image/svg+xml").documentElement, true);
}

/** The colours that the page has by day. @param {HTMLElement} element */
function lightPalette(element) {
	const { dataset } = document.documentElement;
	const theme = dataset.theme;
	dataset.theme = "light";
	const palette = readPalette(element);
	if (theme === undefined) delete dataset.theme;
	else dataset.theme = theme;
	return palette;
}

/** A name that every file system takes. @param {string} run */
function fileName(run) {
	return `diagram-${run.replace(/[^\w.-]+/g, "-").replace(/^[-.]+/, "").slice(0, 60) || "run"}`;
}

/** @param {View} view @param {import("./overlay.js").Overlay} overlay */
function pictureOf({ frame, painter, where, underMarks }, overlay) {
	const { width, height } = frame.layout;
	const [picture, over] = [document.createElement("canvas"), document.createElement("canvas")];
	for (const canvas of [picture, over]) sizeCanvas(canvas, width, height, pngScale);
	const context = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
	painter.draw(context, frame, pngScale, underMarks(context));
	drawOverlay(/** @type {CanvasRenderingContext2D} */ (over.getContext("2d")), frame, overlay, where, pngScale);
	context.setTransform(1, 0, 0, 1, 0, 0);
	context.drawImage(over, 0, 0);
	return picture;
}

/** @param {import("./overlay.js").Overlay} overlay @param {import("../run.js").RunData} run */
function chosenEvents({ chosen, chain, message, cut }, run) {
	const events = new Set(chosen);
	const messages = chain ? Array.from(chain.messages) : [];
	if (message >= 0) messages.push(message);
	if (cut && chosen.length === 0 && message < 0) messages.push(...cut.flying, ...cut.backward);
	for (const m of messages) {
		events.add(run.messages.send[m]);
		if (run.messages.receive[m] >= 0) events.add(run.messages.receive[m]);
	}
	return inOrder([...events], run);
}

/** @param {View} view */
function eventsInSight({ run, axis, range, rows }) {
	const events = [];
	for (const { machine } of rows.list) {
		const from = firstAtLeast(axis.values, range.from, run.offset[machine], run.offset[machine + 1]);
		const to = firstAbove(axis.values, range.to, from, run.offset[machine + 1]);
		for (let e = from; e < to; e++) events.push(e);
	}
	return inOrder(events, run);
}

/** By clock and machine, in which every cause comes before its effects. @param {number[]} events @param {import("../run.js").RunData} run */
function inOrder(events, run) {
	return events.sort((a, b) => run.clock[a] - run.clock[b] || run.machineOf[a] - run.machineOf[b] || a - b);
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
	const url = URL.createObjectURL(blob);
	const link = h("a", { href: url, download: name });
	document.body.append(link);
	link.click();
	link.remove();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** @param {View} view @param {(text: string) => void} announce @param {string} title @param {string} note @param {string} text @param {string} name of the file */
function showTextDialog(view, announce, title, note, text, name) {
	const area = h("textarea", { readOnly: true, value: text, rows: 18, spellcheck: false, "aria-label": title });
	const copy = h("button", { class: "button", type: "button" }, "Copy");
	copy.addEventListener("click", async () => {
		const copied = await copyText(text);
		if (!copied) area.select();
		copy.textContent = copied ? "Copied" : "Select and copy";
		announce(copied ? "Copied." : "The browser does not let this page copy.");
	});
	const dialog = h("dialog", { class: "text-dialog", "aria-label": title },
		h("h3", {}, title), h("p", {}, note), text !== "" && area,
		h("p", { class: "actions" }, text !== "" && copy,
			text !== "" && h("button", { class: "button", type: "button", onclick: () => save(new Blob([text], { type: "text/plain" }), name) }, "Save"),
			h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Close")));
	dialog.addEventListener("close", () => dialog.remove());
	view.parent.append(dialog);
	dialog.showModal();
}
