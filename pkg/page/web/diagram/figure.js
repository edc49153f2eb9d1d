import { RECEIVE, SEND } from "../run.js";
import { spanStyle } from "./draw.js";
import { barRoom } from "./rows.js";
import { CONCURRENT } from "./scene.js";
import { coloursOf } from "./theme.js";

/**
 * The current view as a figure for a paper: shapes made from the scene that is on the screen, written as SVG or as TikZ.
 *
 * @typedef {{fill?: string, stroke?: string, width?: number, opacity?: number, dash?: boolean, arrow?: boolean}} Ink
 * @typedef {Ink & ({shape: "rects", list: [number, number, number, number][]}
 *   | {shape: "lines", list: [number, number, number, number][]}
 *   | {shape: "polygons", list: number[][]}
 *   | {shape: "circles", list: [number, number, number][]}
 *   | {shape: "path", list: [number, number][]}
 *   | {shape: "text", x: number, y: number, text: string, size: number, anchor: "start" | "middle" | "end", bold?: boolean})} Shape
 *
 * @typedef {import("./draw.js").Frame} Frame
 */

/**
 * @param {Frame} frame @param {import("./overlay.js").Overlay} overlay @param {import("./overlay.js").Where} where
 * @returns {Shape[]} from the back to the front
 */
export function figureShapes(frame, overlay, where) {
	const { run, scene, palette, layout, scroll } = frame;
	/** @type {Shape[]} */
	const shapes = [];
	const [left, right] = [layout.left, layout.left + layout.plotWidth];
	const clip = (/** @type {number} */ x) => Math.max(left, Math.min(right, x));
	const lineY = (/** @type {import("./rows.js").Row} */ row) => layout.top + row.y - scroll;
	const bottom = layout.top + layout.plotHeight;
	shapes.push({ shape: "lines", list: frame.ticks.map(({ x }) => [x, layout.top, x, bottom]), stroke: palette.hairline, width: 0.6 });

	for (const { row, x, end, side } of frame.bands) {
		const { top, height } = scene.rows[row];
		const colour = side === "past" ? palette.past : side === "future" ? palette.future : palette.accent;
		if (clip(end) <= clip(x)) continue;
		const [y, z] = [layout.top + top - scroll, layout.top + top - scroll + height];
		shapes.push({ shape: "rects", list: [[clip(x), y, clip(end) - clip(x), height]], fill: colour, opacity: 0.12 });
		const edges = [...(side !== "future" && end < right ? [end] : []), ...(side !== "past" && x > left ? [x] : [])];
		shapes.push({ shape: "lines", list: edges.map((edge) => [edge, y, edge, z]), stroke: colour, width: 1 });
	}
	for (const { row, x, end, span } of frame.spans) {
		const { top, height } = scene.rows[row];
		const style = spanStyle(span.kind, palette);
		const width = Math.max(clip(end) - clip(x), 1);
		shapes.push({ shape: "rects", list: [[clip(x), layout.top + top - scroll + height * (style.full ? 0.07 : 0.85), width, height * (style.full ? 0.86 : 0.1)]], fill: style.colour, opacity: style.full ? 0.2 : 0.7 });
		if (style.full && width > span.kind.length * 5 && height > 30) {
			shapes.push({ shape: "text", x: clip(x) + 4, y: layout.top + top - scroll + height * 0.07 + 11, text: span.kind, size: 9, anchor: "start", fill: style.colour });
		}
	}
	for (const line of frame.lines) {
		const row = scene.rows[line.row];
		shapes.push({ shape: "lines", list: [[clip(line.x), lineY(row), clip(line.end), lineY(row)]], stroke: coloursOf(palette, run, row.machine).send, width: row.highlighted ? 2 : 1 });
	}
	shapes.push(...barShapes(frame, lineY), ...arrowShapes(frame), ...chainShapes(frame, overlay, where), ...markShapes(frame, lineY));
	shapes.push(...chosenShapes(frame, overlay, where));

	let free = -Infinity;
	for (const row of scene.rows) {
		const y = lineY(row);
		if (y - 5 < free) continue;
		free = y + 5;
		shapes.push({ shape: "text", x: left - 12, y: y + 4, text: `vm-${run.ids[row.machine]}`, size: 11, anchor: "end", fill: palette.ink });
	}
	shapes.push({ shape: "lines", list: [[left, bottom, right, bottom]], stroke: palette.muted, width: 0.8 });
	for (const { x, label } of frame.ticks) shapes.push({ shape: "text", x: Math.min(x, right), y: bottom + 16, text: label, size: 10, anchor: x > right - 24 ? "end" : "middle", fill: palette.muted });
	return shapes.filter((s) => !("list" in s) || s.list.length > 0);
}

/** @param {Frame} frame @param {(row: import("./rows.js").Row) => number} lineY @returns {Shape[]} */
function barShapes({ run, scene, palette, layout }, lineY) {
	/** @type {Map<string, [number, number, number, number][]>} */
	const rects = new Map();
	const { bars } = scene;
	for (let k = 0; k < bars.count; k++) {
		const row = scene.rows[bars.get(k, 0)];
		const x = Math.max(bars.get(k, 1), layout.left);
		const end = Math.min(bars.get(k, 2), layout.left + layout.plotWidth);
		if (end <= x) continue;
		const colours = bars.get(k, 6) === CONCURRENT ? palette.grey : coloursOf(palette, run, row.machine);
		const room = barRoom(row.height);
		// Outermost first: each is drawn over the one before.
		let half = (bars.get(k, 3) + bars.get(k, 4) + bars.get(k, 5)) * room;
		for (const [colour, share] of /** @type {[string, number][]} */ ([[colours.internal, bars.get(k, 3)], [colours.send, bars.get(k, 4)], [colours.receive, bars.get(k, 5)]])) {
			if (share > 0 && half > 0) {
				const list = rects.get(colour) ?? [];
				rects.set(colour, list);
				list.push([x, lineY(row) - half, end - x, 2 * half]);
			}
			half -= share * room;
		}
	}
	const order = [palette.grey, ...scene.rows.map((row) => coloursOf(palette, run, row.machine))].flatMap((c) => [c.internal, c.send, c.receive]);
	return [...rects].sort((a, b) => order.indexOf(a[0]) - order.indexOf(b[0])).map(([fill, list]) => ({ shape: "rects", list, fill }));
}

/** @param {Frame} frame @returns {Shape[]} */
function arrowShapes({ run, scene, palette, layout }) {
	/** @type {Map<string, {stroke: string, arrow: boolean, list: [number, number, number, number][]}>} */
	const groups = new Map();
	const { arrows } = scene;
	const [left, right] = [layout.left, layout.left + layout.plotWidth];
	for (let k = 0; k < arrows.count; k++) {
		const line = clippedLine([arrows.get(k, 0), arrows.get(k, 1) + layout.top, arrows.get(k, 2), arrows.get(k, 3) + layout.top], left, right);
		if (!line) continue;
		const grey = arrows.get(k, 5) === CONCURRENT;
		const stroke = grey ? palette.grey.send : coloursOf(palette, run, run.machineOf[run.messages.send[arrows.get(k, 4)]]).send;
		// What arrives beyond the edge has its head there.
		const arrow = arrows.count <= 300 && arrows.get(k, 2) <= right;
		const group = groups.get(stroke + arrow) ?? { stroke, arrow, list: [] };
		groups.set(stroke + arrow, group);
		group.list.push(line);
	}
	const { stubs } = scene;
	for (let k = 0; k < stubs.count; k++) {
		const line = clippedLine([stubs.get(k, 0), stubs.get(k, 1) + layout.top, stubs.get(k, 2), stubs.get(k, 3) + layout.top], left, right);
		const stroke = coloursOf(palette, run, run.machineOf[run.messages.send[stubs.get(k, 4)]]).send;
		const group = groups.get(`${stroke}stub`) ?? { stroke, arrow: false, list: [] };
		groups.set(`${stroke}stub`, group);
		if (line) group.list.push(line);
	}
	return [...groups.values()].map(({ stroke, arrow, list }) => ({ shape: "lines", list, stroke, width: 0.8, opacity: arrows.count > 300 ? 0.4 : 0.8, arrow }));
}

/**
 * The part of a line between two pixels; null: there is none.
 *
 * @param {[number, number, number, number]} line @param {number} left @param {number} right
 * @returns {[number, number, number, number] | null}
 */
function clippedLine([x, y, endX, endY], left, right) {
	if (Math.max(x, endX) < left || Math.min(x, endX) > right) return null;
	const at = (/** @type {number} */ edge) => y + ((edge - x) / (endX - x)) * (endY - y);
	const clip = (/** @type {number} */ px, /** @type {number} */ py) => (px < left ? [left, at(left)] : px > right ? [right, at(right)] : [px, py]);
	const [a, b] = [clip(x, y), clip(endX, endY)];
	return [a[0], a[1], b[0], b[1]];
}

/** @param {Frame} frame @param {import("./overlay.js").Overlay} overlay @param {import("./overlay.js").Where} where @returns {Shape[]} */
function chainShapes({ run, palette, layout }, { chain }, where) {
	if (!chain) return [];
	const events = [chain.start, ...Array.from(chain.messages).flatMap((m) => [run.messages.send[m], run.messages.receive[m]]), chain.end];
	/** @type {[number, number, number, number][]} */
	const list = [];
	for (let k = 1; k < events.length; k++) {
		const [a, b] = [where.y(run.machineOf[events[k - 1]]), where.y(run.machineOf[events[k]])];
		if (a === undefined || b === undefined) continue;
		const line = clippedLine([where.x(events[k - 1]), a + layout.top, where.x(events[k]), b + layout.top], layout.left, layout.left + layout.plotWidth);
		if (line) list.push(line);
	}
	return [{ shape: "lines", list, stroke: palette.selection, width: 2 }];
}

/** @param {Frame} frame @param {(row: import("./rows.js").Row) => number} lineY @returns {Shape[]} */
function markShapes({ run, scene, palette, layout }, lineY) {
	/** @type {Map<string, Shape & {list: unknown[]}>} */
	const groups = new Map();
	const { marks } = scene;
	for (let k = 0; k < marks.count; k++) {
		const row = scene.rows[marks.get(k, 0)];
		const x = marks.get(k, 1);
		if (x < layout.left || x > layout.left + layout.plotWidth) continue;
		const kind = marks.get(k, 3);
		const colours = marks.get(k, 4) === CONCURRENT ? palette.grey : coloursOf(palette, run, row.machine);
		const key = `${kind} ${colours.send}`;
		const y = lineY(row);
		const r = scene.radius;
		let group = groups.get(key);
		if (!group) {
			group = kind === SEND ? { shape: "polygons", list: [], fill: colours.send } : kind === RECEIVE ? { shape: "polygons", list: [], fill: colours.receive }
				: { shape: "circles", list: [], fill: palette.surface, stroke: colours.send, width: 1 };
			groups.set(key, group);
		}
		if (kind === SEND) group.list.push([x - r * 0.85, y - r, x + r * 1.15, y, x - r * 0.85, y + r]);
		else if (kind === RECEIVE) group.list.push([x - r * 1.1, y, x, y - r * 1.1, x + r * 1.1, y, x, y + r * 1.1]);
		else group.list.push([x, y, r * 0.7]);
	}
	return [...groups.values()];
}

/** @param {Frame} frame @param {import("./overlay.js").Overlay} overlay @param {import("./overlay.js").Where} where @returns {Shape[]} */
function chosenShapes({ run, scene, palette, layout }, overlay, where) {
	/** @type {Shape[]} */
	const shapes = [];
	const [left, right] = [layout.left, layout.left + layout.plotWidth];
	/** @param {number} e @returns {[number, number] | null} */
	const point = (e) => {
		const y = where.y(run.machineOf[e]);
		return y === undefined ? null : [where.x(e), y + layout.top];
	};
	if (overlay.cut) {
		const { cut, consistent } = overlay.cut;
		const list = scene.rows.map((row) => /** @type {[number, number]} */ ([where.cutX(row.machine, cut[row.machine]), layout.top + (where.y(row.machine) ?? 0)]));
		shapes.push({ shape: "path", list: list.filter(([x]) => x >= left && x <= right), stroke: consistent ? palette.good : palette.bad, width: 1.6, dash: true });
	}
	overlay.chosen.forEach((e, k) => {
		const p = point(e);
		if (!p || p[0] < left || p[0] > right) return;
		shapes.push({ shape: "circles", list: [[p[0], p[1], scene.radius + 4]], stroke: palette.selection, width: 1.8 });
		if (overlay.chosen.length > 1) shapes.push({ shape: "text", x: p[0], y: p[1] - scene.radius - 8, text: k === 0 ? "A" : "B", size: 11, anchor: "middle", bold: true, fill: palette.selection });
	});
	return shapes;
}

/** How many single shapes there are. @param {Shape[]} shapes */
export function countShapes(shapes) {
	return shapes.reduce((n, s) => n + ("list" in s ? s.list.length : 1), 0);
}

/** @param {number} x */
function two(x) {
	return String(Math.round(x * 100) / 100);
}

/** @param {string} text */
function xml(text) {
	return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/**
 * @param {Shape[]} shapes @param {{width: number, height: number, background: string, font: string, title: string}} page
 * @returns {string}
 */
export function svgOf(shapes, { width, height, background, font, title }) {
	const lines = [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${two(width)} ${two(height)}" width="${two(width)}" height="${two(height)}" font-family="${xml(font)}">`,
		`<title>${xml(title)}</title>`,
		`<rect width="100%" height="100%" fill="${background}"/>`,
	];
	for (const s of shapes) {
		const ink = `fill="${s.fill ?? "none"}"${s.stroke ? ` stroke="${s.stroke}" stroke-width="${two(s.width ?? 1)}"` : ""}${s.opacity !== undefined ? ` opacity="${two(s.opacity)}"` : ""}` +
			`${s.dash ? ' stroke-dasharray="6 3"' : ""}`;
		if (s.shape === "text") {
			lines.push(`<text x="${two(s.x)}" y="${two(s.y)}" font-size="${s.size}" text-anchor="${s.anchor}"${s.bold ? ' font-weight="700"' : ""} ${ink}>${xml(s.text)}</text>`);
		} else if (s.shape === "circles") {
			lines.push(`<g ${ink}>${s.list.map(([x, y, r]) => `<circle cx="${two(x)}" cy="${two(y)}" r="${two(r)}"/>`).join("")}</g>`);
		} else {
			lines.push(`<path ${ink} d="${pathData(s)}"/>`);
			if (s.shape === "lines" && s.arrow) lines.push(`<path fill="${s.stroke}"${s.opacity !== undefined ? ` opacity="${two(s.opacity)}"` : ""} d="${s.list.map(headData).join("")}"/>`);
		}
	}
	lines.push("</svg>", "");
	return lines.join("\n");
}

/** The head of an arrow. @param {[number, number, number, number]} line */
function headData([x, y, endX, endY]) {
	const [dx, dy] = [endX - x, endY - y];
	const length = Math.hypot(dx, dy);
	if (length < 8) return "";
	const [ux, uy] = [dx / length, dy / length];
	// It ends where the mark begins.
	const [tipX, tipY] = [endX - 4 * ux, endY - 4 * uy];
	return `M${two(tipX)} ${two(tipY)}L${two(tipX - 7 * ux + 2.6 * uy)} ${two(tipY - 7 * uy - 2.6 * ux)}L${two(tipX - 7 * ux - 2.6 * uy)} ${two(tipY - 7 * uy + 2.6 * ux)}z`;
}

/** @param {Exclude<Shape, {shape: "text"} | {shape: "circles"}>} s */
function pathData(s) {
	if (s.shape === "rects") return s.list.map(([x, y, w, h]) => `M${two(x)} ${two(y)}h${two(w)}v${two(h)}h${two(-w)}z`).join("");
	if (s.shape === "lines") return s.list.map(([x, y, a, b]) => `M${two(x)} ${two(y)}L${two(a)} ${two(b)}`).join("");
	if (s.shape === "path") return s.list.map(([x, y], k) => `${k === 0 ? "M" : "L"}${two(x)} ${two(y)}`).join("");
	return s.list.map((p) => `M${pairs(p).map(([x, y]) => `${two(x)} ${two(y)}`).join("L")}z`).join("");
}

/** @param {number[]} list @returns {[number, number][]} */
function pairs(list) {
	return Array.from({ length: list.length / 2 }, (_, k) => [list[2 * k], list[2 * k + 1]]);
}

/** Shapes that TeX still takes in a reasonable time. */
export const mostTikzShapes = 6000;

/**
 * A tikzpicture, as wide as a column of text; needs the package tikz alone.
 *
 * @param {Shape[]} shapes @param {{width: number, height: number, note: string}} page
 * @returns {string}
 */
export function tikzOf(shapes, { width, note }) {
	/** @type {Map<string, string>} */
	const names = new Map();
	const colour = (/** @type {string} */ hex) => {
		if (!names.has(hex)) names.set(hex, `run${String.fromCharCode(97 + Math.floor(names.size / 26), 97 + (names.size % 26))}`);
		return names.get(hex);
	};
	const unit = 13 / width; // cm
	const at = (/** @type {number} */ x, /** @type {number} */ y) => `(${two(x)},${two(-y)})`;
	const body = [];
	for (const s of shapes) {
		const ink = [
			s.fill && s.shape !== "text" ? `fill=${colour(s.fill)}` : "", s.stroke ? `draw=${colour(s.stroke)}` : "", s.stroke ? `line width=${two((s.width ?? 1) * 0.5)}pt` : "",
			s.opacity !== undefined ? `opacity=${two(s.opacity)}` : "", s.dash ? "dashed" : "", s.shape === "lines" && s.arrow ? "-{Latex[length=3pt]}" : "",
		].filter((part) => part !== "").join(", ");
		if (s.shape === "text") {
			const anchor = s.anchor === "end" ? "base east" : s.anchor === "start" ? "base west" : "base";
			body.push(`\\node[anchor=${anchor}, inner sep=0, font=\\${s.size > 10 ? "footnotesize" : "scriptsize"}${s.bold ? "\\bfseries" : ""}, text=${colour(s.fill ?? "#000000")}] at ${at(s.x, s.y)} {${tex(s.text)}};`);
			continue;
		}
		/** @type {string[]} */
		let parts;
		if (s.shape === "rects") parts = s.list.map(([x, y, w, h]) => `${at(x, y)} rectangle ${at(x + w, y + h)}`);
		else if (s.shape === "lines") parts = s.list.map(([x, y, a, b]) => `${at(x, y)} -- ${at(a, b)}`);
		else if (s.shape === "circles") parts = s.list.map(([x, y, r]) => `${at(x, y)} circle[radius=${two(r)}]`);
		else if (s.shape === "path") parts = [s.list.map(([x, y]) => at(x, y)).join(" -- ")];
		else parts = s.list.map((p) => pairs(p).map(([x, y]) => at(x, y)).join(" -- ") + " -- cycle");
		// An arrow has one tip for each path.
		if (s.shape === "lines" && s.arrow) body.push(...parts.map((part) => `\\path[${ink}] ${part};`));
		else body.push(`\\path[${ink}] ${parts.join("\n  ")};`);
	}
	const colours = [...names].map(([hex, name]) => `\\definecolor{${name}}{HTML}{${hex.slice(1).toUpperCase()}}`);
	return [
		`% ${note.replace(/[^ -~]/g, " ")}`, "% \\usepackage{tikz} \\usetikzlibrary{arrows.meta}", `\\begin{tikzpicture}[x=${unit.toFixed(5)}cm, y=${unit.toFixed(5)}cm]`, ...colours, ...body, "\\end{tikzpicture}", "",
	].join("\n");
}

/** @param {string} text */
function tex(text) {
	/** @type {Record<string, string>} */
	const written = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\u2009": "\\,", "−": "$-$", "µ": "$\\mu$" };
	return text.replace(/[\\{}$&#^_%~\u2009−µ]/g, (c) => written[c] ?? `\\${c}`);
}
