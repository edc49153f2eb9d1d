import { RECEIVE, SEND } from "../run.js";
import { barRoom } from "./rows.js";
import { CONCURRENT } from "./scene.js";
import { channels, coloursOf, faded, manyMachines } from "./theme.js";

/**
 * Draws a scene on a canvas. Bars are written as pixels, since there may be a hundred thousand of them; everything else
 * is few enough for paths, one for each colour.
 *
 * @typedef {object} Layout pixels of CSS
 * @property {number} width of the canvas
 * @property {number} height
 * @property {number} left of the plot
 * @property {number} top
 * @property {number} plotWidth
 * @property {number} plotHeight
 *
 * @typedef {object} Frame
 * @property {import("../run.js").RunData} run
 * @property {import("./scene.js").Scene} scene
 * @property {import("./theme.js").Palette} palette
 * @property {Layout} layout
 * @property {number} scroll
 * @property {number} rowsHeight of all lines, in sight or not
 * @property {{x: number, label: string}[]} ticks
 * @property {string} axisTitle
 * @property {LifeLine[]} lines
 * @property {{x: number, end: number}[]} absent where events are not in this page
 * @property {DrawnSpan[]} spans
 * @property {DrawnRecord[]} records
 * @property {{x: number, end: number}[]} folds stretches that are drawn shorter
 * @property {ConeBand[]} bands
 *
 * @typedef {{row: number, x: number, end: number}} LifeLine where a machine has a log
 * @typedef {{row: number, x: number, end: number, span: import("../types.js").Span}} DrawnSpan
 * @typedef {{row: number, x: number, record: import("../types.js").LogRecord}} DrawnRecord
 * @typedef {{row: number, x: number, end: number, side: "past" | "future" | "between"}} ConeBand
 */

const mostClocks = 400;

/** Sizes a canvas for the pixels of the screen. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height @param {number} ratio */
export function sizeCanvas(canvas, width, height, ratio) {
	const w = Math.round(width * ratio);
	const h = Math.round(height * ratio);
	if (canvas.width !== w) canvas.width = w;
	if (canvas.height !== h) canvas.height = h;
}

/** Keeps what is needed from frame to frame. */
export class Painter {
	constructor() {
		/** @type {ImageData | null} */
		this.pixels = null;
		/** @type {Map<string, CanvasPattern | null>} */
		this.patterns = new Map();
	}

	/**
	 * @param {CanvasRenderingContext2D} context @param {Frame} frame @param {number} ratio pixels of the screen for one of CSS
	 * @param {() => void} [underMarks] draws what lies over lines and arrows, and under the marks
	 */
	draw(context, frame, ratio, underMarks) {
		const { layout, palette } = frame;
		context.setTransform(1, 0, 0, 1, 0, 0);
		context.fillStyle = palette.surface;
		context.fillRect(0, 0, context.canvas.width, context.canvas.height);
		this.drawBars(context, frame, ratio);
		context.setTransform(ratio, 0, 0, ratio, 0, 0);
		drawTicks(context, frame);
		context.save();
		context.beginPath();
		context.rect(layout.left, layout.top, layout.plotWidth, layout.plotHeight);
		context.clip();
		context.translate(0, layout.top);
		this.drawAbsent(context, frame);
		drawBands(context, frame);
		this.drawSpans(context, frame);
		drawFolds(context, frame);
		drawLines(context, frame);
		drawArrows(context, frame);
		drawStubs(context, frame);
		underMarks?.();
		drawMarks(context, frame);
		drawClocks(context, frame);
		drawRecords(context, frame);
		context.restore();
		drawLabels(context, frame);
		drawScrollMark(context, frame);
	}

	/** @param {CanvasRenderingContext2D} context @param {Frame} frame @param {number} ratio */
	drawBars(context, { run, scene, palette, layout, scroll }, ratio) {
		const { bars } = scene;
		if (bars.count === 0) return;
		const width = Math.max(1, Math.round(layout.plotWidth * ratio));
		const height = Math.max(1, Math.round(layout.plotHeight * ratio));
		if (!this.pixels || this.pixels.width !== width || this.pixels.height !== height) this.pixels = new ImageData(width, height);
		const words = new Uint32Array(this.pixels.data.buffer);
		const ground = wordOf(palette.surface);
		words.fill(ground);
		const grey = wordsOf(palette.grey);
		const colours = scene.rows.map((row) => wordsOf(coloursOf(palette, run, row.machine)));
		const { values, width: columns } = bars;
		for (let k = 0, at = 0; k < bars.count; k++, at += columns) {
			const r = values[at];
			const row = scene.rows[r];
			let x = Math.round((values[at + 1] - layout.left) * ratio);
			let end = Math.round((values[at + 2] - layout.left) * ratio);
			if (end <= x) end = x + 1;
			if (x < 0) x = 0;
			if (end > width) end = width;
			if (end <= x) continue;
			const [internal, send, receive] = values[at + 6] === CONCURRENT ? grey : colours[r];
			// Around the line: receives within, sends around them, internal events outside.
			const room = barRoom(row.height) * ratio;
			const middle = (row.y - scroll) * ratio;
			const inner = values[at + 5] * room;
			const outer = inner + values[at + 4] * room;
			const all = outer + values[at + 3] * room;
			const half = Math.max(all, 0.5);
			const top = Math.max(0, Math.floor(middle - half));
			const bottom = Math.min(height, Math.ceil(middle + half));
			for (let y = top; y < bottom; y++) {
				const away = Math.abs(y + 0.5 - middle);
				let word = away <= inner ? receive : away <= outer ? send : internal;
				const covered = half - away + 0.5;
				if (covered < 1) word = blend(ground, away < outer + 0.5 ? (away < inner + 0.5 ? receive : send) : internal, Math.max(covered, 0));
				for (let p = y * width + x, stop = y * width + end; p < stop; p++) words[p] = word;
			}
		}
		context.putImageData(this.pixels, Math.round(layout.left * ratio), Math.round(layout.top * ratio));
	}

	/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
	drawAbsent(context, { absent, palette, layout }) {
		const text = "events not in this page";
		context.font = `12px ${palette.sans}`;
		context.textAlign = "center";
		context.textBaseline = "middle";
		for (const { x, end } of absent) {
			if (end - x < 1) continue;
			context.fillStyle = this.hatch(context, "rising", palette.faint) ?? palette.raised;
			context.fillRect(x, 0, end - x, layout.plotHeight);
			const { width } = context.measureText(text);
			if (end - x < width + 20) continue;
			context.fillStyle = palette.surface;
			context.fillRect((x + end) / 2 - width / 2 - 8, 6, width + 16, 22);
			context.fillStyle = palette.muted;
			context.fillText(text, (x + end) / 2, 17);
		}
	}

	/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
	drawSpans(context, { scene, spans, palette, scroll }) {
		/** @type {Map<number, {x: number, end: number}[]>} by row, what is covered */
		const covered = new Map();
		/** @type {{x: number, y: number, text: string, width: number, colour: string}[]} */
		const labels = [];
		context.font = `600 11px ${palette.sans}`;
		for (const { row, x, end, span } of spans) {
			const { height, y } = scene.rows[row];
			const style = spanStyle(span.kind, palette);
			const width = Math.max(end - x, 2);
			const half = Math.min(height * 0.46, 30);
			const middle = y - scroll;
			if (!style.full) {
				context.fillStyle = faded(style.colour, 0.75);
				context.fillRect(x, middle + half - Math.min(4, half / 3), width, Math.min(4, half / 3));
				continue;
			}
			const others = covered.get(row) ?? [];
			covered.set(row, [...others, { x, end }]);
			// A kill and the crash that it makes take one ground.
			if (!others.some((other) => Math.min(other.end, end) - Math.max(other.x, x) > 0.8 * width)) {
				context.fillStyle = faded(style.colour, 0.12);
				context.fillRect(x, middle - half, width, 2 * half);
				const pattern = this.hatch(context, style.hatch, style.colour);
				if (pattern && width > 3) {
					context.fillStyle = pattern;
					context.fillRect(x, middle - half, width, 2 * half);
				}
			}
			context.fillStyle = style.colour;
			context.fillRect(x, middle - half, 1.5, 2 * half);
			if (width > 3) context.fillRect(x + width - 1, middle - half, 1, 2 * half);
			const label = { x: x + 3, y: middle - half + 2, text: span.kind, width: context.measureText(span.kind).width + 6, colour: style.colour };
			while (labels.some((l) => l.y === label.y && l.x < label.x + label.width && label.x < l.x + l.width)) label.y += 15;
			if (label.width < width && label.y + 15 < middle + half && half > 11) labels.push(label);
		}
		context.textBaseline = "top";
		context.textAlign = "left";
		for (const { x, y, text, width, colour } of labels) {
			context.fillStyle = faded(palette.surface, 0.85);
			context.fillRect(x, y, width, 15);
			context.fillStyle = colour;
			context.fillText(text, x + 3, y + 2);
		}
	}

	/** @param {CanvasRenderingContext2D} context @param {string} kind @param {string} colour */
	hatch(context, kind, colour) {
		const key = kind + colour;
		let pattern = this.patterns.get(key);
		if (pattern === undefined) {
			const tile = document.createElement("canvas");
			tile.width = tile.height = 8;
			const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
			pen.strokeStyle = faded(colour, 0.3);
			pen.lineWidth = 1;
			pen.beginPath();
			if (kind === "cross" || kind === "rising") {
				pen.moveTo(-2, 10); pen.lineTo(10, -2);
				pen.moveTo(-2, 2); pen.lineTo(2, -2);
				pen.moveTo(6, 10); pen.lineTo(10, 6);
			}
			if (kind === "cross") { pen.moveTo(-2, -2); pen.lineTo(10, 10); }
			if (kind === "upright") { pen.moveTo(2.5, 0); pen.lineTo(2.5, 8); }
			if (kind === "level") { pen.moveTo(0, 3.5); pen.lineTo(8, 3.5); }
			pen.stroke();
			pattern = context.createPattern(tile, "repeat");
			this.patterns.set(key, pattern);
		}
		return pattern;
	}
}

/**
 * How a span is drawn: over the line's whole height if the machine, or its links, did not work; else along its foot.
 *
 * @param {string} kind @param {import("./theme.js").Palette} palette
 */
export function spanStyle(kind, palette) {
	if (/crash|kill|down/.test(kind)) return { colour: palette.bad, full: true, hatch: "cross" };
	if (/pause|stall|stop/.test(kind)) return { colour: palette.warn, full: true, hatch: "upright" };
	if (/partition|cut|reset/.test(kind)) return { colour: palette.accent, full: true, hatch: "rising" };
	if (/late/.test(kind)) return { colour: palette.warn, full: false, hatch: "" };
	return { colour: palette.muted, full: true, hatch: "level" };
}

/** @param {string} colour */
function wordOf(colour) {
	const [r, g, b] = channels(colour);
	return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** @param {number} a @param {number} b @param {number} share of b */
function blend(a, b, share) {
	const part = (/** @type {number} */ shift) => {
		const [x, y] = [(a >>> shift) & 255, (b >>> shift) & 255];
		return (x + (y - x) * share) << shift;
	};
	return (0xff000000 | (part(0) & 0xff) | (part(8) & 0xff00) | (part(16) & 0xff0000)) >>> 0;
}

/** @param {import("./theme.js").MachineColours} colours */
function wordsOf({ internal, send, receive }) {
	return [wordOf(internal), wordOf(send), wordOf(receive)];
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawTicks(context, { layout, palette, ticks, axisTitle }) {
	const bottom = layout.top + layout.plotHeight;
	context.fillStyle = faded(palette.ink, 0.07);
	for (const { x } of ticks) context.fillRect(Math.round(x) - 0.5, layout.top, 1, layout.plotHeight);
	context.fillStyle = palette.hairline;
	context.fillRect(layout.left, bottom, layout.plotWidth, 1);
	context.font = `11px ${palette.sans}`;
	context.textBaseline = "top";
	context.fillStyle = palette.muted;
	context.textAlign = "left";
	const title = layout.left > 60 ? axisTitle : "";
	context.fillText(title, 12, bottom + 7);
	const from = layout.left;
	for (const { x, label } of ticks) {
		const width = context.measureText(label).width;
		const start = Math.min(Math.max(x - width / 2, from), layout.left + layout.plotWidth - width);
		context.fillRect(Math.round(x) - 0.5, bottom, 1, 4);
		context.fillText(label, start, bottom + 7);
	}
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawBands(context, { scene, bands, palette, scroll }) {
	for (const side of /** @type {const} */ (["past", "future", "between"])) {
		const colour = side === "past" ? palette.past : side === "future" ? palette.future : palette.accent;
		context.fillStyle = faded(colour, 0.12);
		for (const band of bands) {
			if (band.side !== side || band.end <= band.x) continue;
			const { top, height } = scene.rows[band.row];
			context.fillRect(band.x, top - scroll, band.end - band.x, height);
		}
		// The edge of a cone, row by row.
		context.fillStyle = faded(colour, 0.85);
		for (const band of bands) {
			if (band.side !== side || band.end <= band.x) continue;
			const { top, height } = scene.rows[band.row];
			if (side !== "future") context.fillRect(band.end - 1, top - scroll, 1.5, height);
			if (side !== "past") context.fillRect(band.x, top - scroll, 1.5, height);
		}
	}
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawFolds(context, { folds, palette, layout }) {
	if (folds.length === 0) return;
	context.fillStyle = faded(palette.ink, 0.06);
	for (const { x, end } of folds) context.fillRect(x, 0, Math.max(end - x, 1), layout.plotHeight);
	context.strokeStyle = faded(palette.ink, 0.35);
	context.lineWidth = 1;
	context.beginPath();
	for (const { x, end } of folds) {
		if (end - x < 3) continue;
		const middle = (x + end) / 2;
		for (let y = 0; y < layout.plotHeight; y += 8) {
			context.moveTo(middle - 1.5, y);
			context.lineTo(middle + 1.5, y + 4);
			context.lineTo(middle - 1.5, y + 8);
		}
	}
	context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawLines(context, { run, scene, lines, palette, scroll }) {
	for (const line of lines) {
		const row = scene.rows[line.row];
		const colours = coloursOf(palette, run, row.machine);
		context.fillStyle = faded(colours.send, row.height < 8 ? 0.3 : 0.6);
		const thick = row.highlighted ? 3 : row.height < 8 ? 1 : 1.5;
		context.fillRect(line.x, row.y - scroll - thick / 2, line.end - line.x, thick);
	}
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawArrows(context, { run, scene, palette }) {
	const { arrows, radius } = scene;
	if (arrows.count === 0) return;
	/** @type {Map<string, {path: Path2D, heads: Path2D, colour: string, opacity: number}>} */
	const groups = new Map();
	const heads = arrows.count <= 320;
	const few = Math.min(1, 150 / arrows.count);
	const many = scene.rows.length > manyMachines;
	const { values, width } = arrows;
	for (let k = 0, at = 0; k < arrows.count; k++, at += width) {
		const grey = values[at + 5] === CONCURRENT;
		const through = values[at + 6] === 1;
		const colour = grey ? palette.grey.send : many ? palette.ink : coloursOf(palette, run, run.machineOf[run.messages.send[values[at + 4]]]).send;
		const opacity = through ? 0.22 : many && few < 0.9 ? (grey ? 0.3 : 0.2) : grey ? 0.35 + 0.25 * few : 0.3 + 0.5 * few;
		const key = `${grey ? 0 : 1}${colour}${opacity}`;
		let group = groups.get(key);
		if (!group) groups.set(key, (group = { path: new Path2D(), heads: new Path2D(), colour, opacity }));
		const [x, y, endX, endY] = [values[at], values[at + 1], values[at + 2], values[at + 3]];
		const length = Math.hypot(endX - x, endY - y);
		const stop = heads && length > 4 * radius ? (radius * 0.9) / length : 0;
		const tipX = endX - (endX - x) * stop;
		const tipY = endY - (endY - y) * stop;
		group.path.moveTo(x, y);
		group.path.lineTo(tipX, tipY);
		if (heads && !through && length > 12) addHead(group.heads, x, y, tipX, tipY, Math.min(8, 3 + radius));
	}
	context.lineWidth = 1 + 0.3 * few;
	// The grey ones first.
	for (const [, { path, heads: tips, colour, opacity }] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
		context.strokeStyle = faded(colour, opacity);
		context.stroke(path);
		if (!heads) continue;
		context.fillStyle = faded(colour, Math.min(1, opacity + 0.15));
		context.fill(tips);
	}
}

/** Messages that were not received: they set out, and end in a ring. @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawStubs(context, { run, scene: { stubs }, palette }) {
	context.lineWidth = 1.2;
	for (let k = 0; k < stubs.count; k++) {
		const [x, y, endX, endY] = [stubs.get(k, 0), stubs.get(k, 1), stubs.get(k, 2), stubs.get(k, 3)];
		const grey = stubs.get(k, 5) === CONCURRENT;
		context.strokeStyle = grey ? palette.grey.send : coloursOf(palette, run, run.machineOf[run.messages.send[stubs.get(k, 4)]]).send;
		context.setLineDash([3, 2]);
		context.beginPath();
		context.moveTo(x, y);
		context.lineTo(endX, endY);
		context.stroke();
		context.setLineDash([]);
		context.beginPath();
		context.arc(endX, endY, 2.5, 0, 2 * Math.PI);
		context.stroke();
	}
}

/**
 * The head of an arrow.
 *
 * @param {Path2D} path @param {number} x @param {number} y @param {number} tipX @param {number} tipY @param {number} size
 */
export function addHead(path, x, y, tipX, tipY, size) {
	const angle = Math.atan2(tipY - y, tipX - x);
	for (const [turn, start] of /** @type {[number, boolean][]} */ ([[0, true], [2.7, false], [-2.7, false]])) {
		const px = turn === 0 ? tipX : tipX + size * Math.cos(angle + turn);
		const py = turn === 0 ? tipY : tipY + size * Math.sin(angle + turn);
		if (start) path.moveTo(px, py);
		else path.lineTo(px, py);
	}
	path.closePath();
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawMarks(context, { run, scene, palette, scroll }) {
	const { marks, radius } = scene;
	if (marks.count === 0) return;
	/** @type {Map<string, {path: Path2D, kind: number, colours: import("./theme.js").MachineColours}>} */
	const groups = new Map();
	const { values, width } = marks;
	for (let k = 0, at = 0; k < marks.count; k++, at += width) {
		const row = scene.rows[values[at]];
		const kind = values[at + 3];
		const colours = values[at + 4] === CONCURRENT ? palette.grey : coloursOf(palette, run, row.machine);
		const key = `${colours.send} ${kind}`;
		let group = groups.get(key);
		if (!group) groups.set(key, (group = { path: new Path2D(), kind, colours }));
		addMark(group.path, kind, values[at + 1], row.y - scroll, radius * (row.highlighted ? 1.15 : 1));
	}
	context.lineWidth = 1.25;
	context.lineJoin = "round";
	for (const { path, kind, colours } of groups.values()) {
		context.fillStyle = kind === SEND ? colours.send : kind === RECEIVE ? colours.receive : palette.surface;
		context.fill(path);
		context.strokeStyle = kind === RECEIVE ? colours.receive : colours.send;
		context.stroke(path);
	}
}

/**
 * The shape of an event: a ring for an internal one, a triangle that points onwards for a send, a diamond for a receive.
 *
 * @param {Path2D} path @param {number} kind @param {number} x @param {number} y @param {number} r
 */
export function addMark(path, kind, x, y, r) {
	if (kind === SEND) {
		path.moveTo(x - r * 0.85, y - r);
		path.lineTo(x + r * 1.15, y);
		path.lineTo(x - r * 0.85, y + r);
		path.closePath();
	} else if (kind === RECEIVE) {
		path.moveTo(x - r * 1.1, y);
		path.lineTo(x, y - r * 1.1);
		path.lineTo(x + r * 1.1, y);
		path.lineTo(x, y + r * 1.1);
		path.closePath();
	} else {
		path.moveTo(x + r * 0.7, y);
		path.arc(x, y, r * 0.7, 0, 2 * Math.PI);
	}
}

/** The clocks, at marks that leave room for them. @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawClocks(context, { run, scene, palette, scroll }) {
	const { marks, radius } = scene;
	if (marks.count === 0 || marks.count > mostClocks) return;
	context.font = `10px ${palette.sans}`;
	context.textAlign = "center";
	context.textBaseline = "alphabetic";
	context.strokeStyle = faded(palette.surface, 0.75);
	context.lineWidth = 3;
	/** @type {{events: number[], xs: number[], states: number[], widest: number}[]} */
	const rows = [];
	for (let k = 0; k < marks.count; k++) {
		const row = (rows[marks.get(k, 0)] ??= { events: [], xs: [], states: [], widest: 0 });
		row.events.push(marks.get(k, 2));
		row.xs.push(marks.get(k, 1));
		row.states.push(marks.get(k, 4));
		row.widest = Math.max(row.widest, String(run.clock[marks.get(k, 2)]).length * 6 + 5);
	}
	rows.forEach(({ events, xs, states, widest }, r) => {
		const row = scene.rows[r];
		// All of a line's, or none: half of them would look like a statement.
		if (row.height < 40 || (xs.length > 1 && (xs[xs.length - 1] - xs[0]) / (xs.length - 1) < widest)) return;
		events.forEach((e, k) => {
			if (xs[k] - xs[k - 1] < widest || xs[k + 1] - xs[k] < widest) return;
			context.fillStyle = states[k] === CONCURRENT ? palette.faint : palette.muted;
			// Over lines, it keeps a little ground of its own.
			context.strokeText(String(run.clock[e]), xs[k], row.y - scroll - radius - 4);
			context.fillText(String(run.clock[e]), xs[k], row.y - scroll - radius - 4);
		});
	});
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawRecords(context, { run, scene, records, palette, scroll }) {
	for (const { row, x, record } of records) {
		const { y, height, machine } = scene.rows[row];
		const half = Math.min(height * 0.36, 13);
		const middle = y - scroll;
		context.strokeStyle = context.fillStyle = record.kind === "resume" ? palette.good : coloursOf(palette, run, machine).receive;
		context.lineWidth = 2;
		context.beginPath();
		context.moveTo(x, middle - half);
		context.lineTo(x, middle + half);
		context.stroke();
		if (half < 6 || record.kind === "start") continue;
		context.beginPath();
		if (record.kind === "resume") {
			context.moveTo(x, middle - half);
			context.lineTo(x + 8, middle - half + 4);
			context.lineTo(x, middle - half + 8);
			context.fill();
		} else {
			context.fillRect(x, middle - half, 5, 5);
		}
	}
}

/** Which part of the lines is in sight. @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawScrollMark(context, { layout, palette, scroll, rowsHeight }) {
	if (rowsHeight <= layout.plotHeight + 1) return;
	const part = layout.plotHeight / rowsHeight;
	context.fillStyle = faded(palette.ink, 0.35);
	context.fillRect(3, layout.top + scroll * part, 4, Math.max(layout.plotHeight * part, 12));
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function drawLabels(context, { run, scene, palette, layout, scroll }) {
	context.save();
	context.beginPath();
	context.rect(0, scroll > 0 ? layout.top : 0, layout.left, layout.plotHeight + layout.top);
	context.clip();
	context.textAlign = "left";
	context.textBaseline = "middle";
	let free = -Infinity;
	for (const row of scene.rows) {
		const y = row.y - scroll + layout.top;
		const colours = coloursOf(palette, run, row.machine);
		const tall = row.height >= 30 && !row.folded;
		context.fillStyle = colours.send;
		const bar = Math.max(1, Math.min(row.height - 1, tall ? 34 : row.height * 0.8));
		context.fillRect(layout.left - 8, y - bar / 2, row.highlighted ? 5 : 3, bar);
		const needed = tall ? 26 : 11;
		if (y - needed / 2 < free && !(row.height >= 14)) continue;
		free = y + needed / 2;
		const { id, rate } = run.head.machines[row.machine];
		context.fillStyle = row.folded ? palette.muted : palette.ink;
		context.font = `${row.highlighted ? 700 : tall ? 600 : 500} ${tall ? 13 : 10.5}px ${palette.sans}`;
		context.fillText(`vm-${id}`, 12, tall ? y - 7 : y, layout.left - 24);
		if (tall) {
			context.fillStyle = palette.muted;
			context.font = `11px ${palette.sans}`;
			context.fillText(rate === "max" ? "max rate" : `${rate}\u2009/s`, 12, y + 8, layout.left - 24);
		}
	}
	context.restore();
}
