import { h } from "./dom.js";
import { formatDuration, formatNumber } from "./format.js";
import { alignLines, instantsOnLine, placeInLine, valueOnLine } from "./series.js";
import { tableElement } from "./tables.js";
import { machineProperty, themeColor } from "./theme.js";

/**
 * A chart over time, which shows the span and the cursor of the state, and sets them.
 *
 * @typedef {import("./run.js").RunData} RunData
 * @typedef {import("./series.js").Line} Line
 * @typedef {import("./state.js").State} State
 * @typedef {import("./types.js").Span} Span
 * @typedef {import("./valuescale.js").ValueScale} ValueScale
 *
 * @typedef {object} ChartKind
 * @property {string} name of the series
 * @property {string} title
 * @property {string} axis
 * @property {string} beside names of other series, with spaces between, which are drawn dashed
 * @property {string} besideTitle
 * @property {string} text said where the page has no text for it
 * @property {number} least that its axis spans
 * @property {(value: number) => string} format
 */

/** @type {ChartKind[]} */
export const chartKinds = [
	{ name: "clock", title: "Logical clocks", axis: "ticks", beside: "ideal", besideTitle: "dashed: the fastest machine’s own ticks", text: "The logical clock of each machine over time.", least: 1, format: formatNumber },
	{ name: "drift", title: "Drift", axis: "ticks behind the largest clock", beside: "", besideTitle: "", text: "How far each clock is behind the largest one.", least: 1, format: formatNumber },
	{ name: "queue", title: "Queues", axis: "messages", beside: "predicted", besideTitle: "dashed: predicted", text: "Messages that wait at each machine.", least: 1, format: formatNumber },
	{ name: "lateness", title: "Lateness of ticks", axis: "late by", beside: "", besideTitle: "", text: "How late each tick ran.", least: 100, format: formatDuration },
	{ name: "offset", title: "System clocks", axis: "gained since they were first compared", beside: "offset-least offset-most", besideTitle: "dashed: what a system clock gained at least, and at most", text: "How much each system clock gained on that of the first machine.", least: 20, format: formatDuration },
];

/** How many machines have keys of their own in a legend, and columns in a table. */
export const fewMachines = 12;

/** Keys that work on a chart. @type {[string, string][]} */
export const chartKeys = [
	["← / →", "move the cursor (Shift: faster)"],
	["+ / −", "zoom in and out at the cursor"],
	["PageUp / PageDown", "earlier, later"],
	["0", "the whole run"],
];

/** Steps between ticks of the axis of time, in seconds. */
const timeSteps = [
	...[1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1].flatMap((p) => [1, 2, 5].map((m) => m * p)),
	1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000,
];

/**
 * An instant on an axis: "12", "12.35", "2:05", "1:02:05".
 *
 * @param {number} seconds
 * @param {number} step
 * @param {boolean} clocklike in hours, minutes and seconds
 */
function axisTime(seconds, step, clocklike) {
	const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)));
	if (!clocklike) return seconds.toFixed(digits);
	const whole = Math.floor(seconds + 1e-9);
	const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
	const rest = digits > 0 ? (seconds - whole).toFixed(digits).slice(1) : "";
	const hours = Math.floor(whole / 3600);
	const minutes = Math.floor(whole / 60) % 60;
	return (hours > 0 ? `${hours}:${two(minutes)}` : String(minutes)) + ":" + two(whole % 60) + rest;
}

/** One chart of one run. */
export class Chart {
	/**
	 * @param {ChartKind} kind
	 * @param {RunData} run
	 * @param {Line[]} lines
	 * @param {Line[]} beside
	 * @param {ValueScale} scale
	 * @param {State} state
	 */
	constructor(kind, run, lines, beside, scale, state) {
		this.kind = kind;
		this.run = run;
		this.lines = lines;
		this.beside = beside;
		this.scale = scale;
		this.state = state;
		this.summary = run.head.text?.[kind.name] ?? kind.text;
		/** @type {uPlot | null} */
		this.plot = null;
		this.readout = h("p", { class: "readout", "aria-hidden": "true" });
		this.box = h("div", {
			class: "plot", role: "slider", tabIndex: 0, "aria-label": `${kind.title}: cursor`, "aria-orientation": "horizontal",
			"aria-valuemin": "0", "aria-valuemax": "1", "aria-valuenow": "0", onkeydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
		});
		this.box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
		this.element = h("div", {}, this.readout, this.box);
		this.describe(null);
	}

	/** Draws for the first time, once the element has a width. */
	begin() {
		const { x, values } = alignLines(this.lines);
		if (this.lines.length === 0) {
			this.box.replaceChildren(h("p", { class: "waiting" }, "Not known for this run."));
			return;
		}
		const view = this.state.get().view;
		this.plot = new uPlot(this.options(view), /** @type {uPlot.AlignedData} */ ([x, ...values]), this.box);
	}

	/**
	 * @param {{from: number, to: number}} view
	 * @returns {uPlot.Options}
	 */
	options(view) {
		const small = this.lines.length <= 8;
		return {
			width: this.box.clientWidth || 600,
			height: chartHeight(),
			padding: [6, 18, 0, 0],
			legend: { show: false },
			cursor: {
				y: false,
				points: { show: false },
				drag: { x: true, y: false, setScale: false },
				bind: { dblclick: () => () => { this.whole(); return null; } },
			},
			scales: {
				x: { time: false, min: view.from / 1e6, max: view.to / 1e6 },
				y: { range: () => this.scale.fit(this.state.get().view) },
			},
			axes: [
				{
					stroke: () => themeColor("--muted"), font: axisFont(), size: 30, gap: 4, space: 64, incrs: timeSteps,
					grid: { show: false }, ticks: { stroke: () => themeColor("--hairline"), width: 1, size: 4 },
					values: (u, splits, _axis, _space, step) => {
						const clocklike = (u.scales.x.max ?? 0) >= 120;
						return splits.map((s) => axisTime(s, step, clocklike) + (clocklike ? "" : "\u2009s"));
					},
				},
				{
					stroke: () => themeColor("--muted"), font: axisFont(), gap: 6, space: 36,
					size: (_u, labels) => Math.max(28, ...(labels ?? []).map((l) => 14 + l.length * 6.6)),
					grid: { stroke: () => themeColor("--hairline"), width: 1 }, ticks: { show: false },
					values: (_u, splits) => splits.map((s) => this.kind.format(s)),
				},
			],
			series: [
				{},
				...this.lines.map((line) => /** @type {uPlot.Series} */ ({
					stroke: () => this.color(line.machine), width: small ? 1.75 : 1, points: { show: false },
				})),
			],
			hooks: {
				drawClear: [(u) => this.shade(u)],
				draw: [(u) => this.drawBeside(u)],
				setCursor: [(u) => this.moved(u)],
				setSelect: [(u) => this.selected(u)],
			},
		};
	}

	/** @param {number} machine */
	color(machine) {
		const { highlighted, hidden } = this.state.get().machines;
		if (hidden.includes(machine)) return "transparent";
		const others = highlighted.length > 0 && !highlighted.includes(machine);
		const color = themeColor(machineProperty(this.run.head.machines[machine]?.color ?? machine));
		return others ? color + "30" : this.lines.length > 8 && highlighted.length === 0 ? color + "90" : color;
	}

	/** Draws the spans in which something was the matter. @param {uPlot} u */
	shade(u) {
		const { ctx, bbox } = u;
		ctx.save();
		ctx.beginPath();
		ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
		ctx.clip();
		/** @type {[number, number][]} what has a ground already, so that what has two reasons is not darker */
		const shaded = [];
		for (const span of this.run.head.spans) {
			const from = u.valToPos(span.from / 1e6, "x", true);
			const width = Math.max(u.valToPos(Math.max(span.to, span.from) / 1e6, "x", true) - from, devicePixelRatio);
			if (from > bbox.left + bbox.width || from + width < bbox.left) continue;
			const [color, strength] = spanColor(span.kind);
			ctx.fillStyle = themeColor(color);
			if (!shaded.some(([a, b]) => Math.min(b, from + width) - Math.max(a, from) > 0.8 * width)) {
				ctx.globalAlpha = strength;
				ctx.fillRect(from, bbox.top, width, bbox.height);
				shaded.push([from, from + width]);
			}
			ctx.globalAlpha = 0.85;
			ctx.fillRect(from, bbox.top, width, 3 * devicePixelRatio);
			ctx.globalAlpha = 1;
		}
		ctx.restore();
	}

	/**
	 * Draws the dashed lines, and of them only what is in view: of one that reaches far beyond it, a canvas would
	 * count all dashes.
	 *
	 * @param {uPlot} u
	 */
	drawBeside(u) {
		const { ctx, bbox } = u;
		const [from, to] = [(u.scales.x.min ?? 0) * 1e6, (u.scales.x.max ?? 1) * 1e6];
		ctx.save();
		ctx.beginPath();
		ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
		ctx.clip();
		ctx.lineWidth = 1.25 * devicePixelRatio;
		ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
		for (const line of this.beside) {
			ctx.strokeStyle = this.kind.name === "clock" ? themeColor("--muted") : this.color(line.machine);
			ctx.beginPath();
			for (const at of instantsOnLine(line, from, to)) ctx.lineTo(u.valToPos(at / 1e6, "x", true), u.valToPos(valueOnLine(line, at), "y", true));
			ctx.stroke();
		}
		ctx.restore();
	}

	/** The reader moved the cursor over this chart. @param {uPlot} u */
	moved(u) {
		const left = u.cursor.left ?? -1;
		this.state.set({ cursor: left < 0 ? null : Math.round(u.posToVal(left, "x") * 1e6) });
	}

	/** The reader dragged over a span. @param {uPlot} u */
	selected(u) {
		const { left, width } = u.select;
		if (width < 4) return;
		this.zoom(u.posToVal(left, "x") * 1e6, u.posToVal(left + width, "x") * 1e6);
		u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
	}

	/** @param {number} from µs @param {number} to µs */
	zoom(from, to) {
		const whole = this.run.span;
		const width = Math.min(Math.max(to - from, 10), whole.to - whole.from);
		const start = Math.min(Math.max(from, whole.from), whole.to - width);
		this.state.set({ view: { ...this.state.get().view, axis: "time", from: start, to: start + width } });
	}

	whole() {
		this.zoom(this.run.span.from, this.run.span.to);
	}

	/** Pinching a touch pad, or the wheel with Ctrl. @param {WheelEvent} event */
	wheel(event) {
		if (!this.plot || !(event.ctrlKey || event.metaKey)) return;
		event.preventDefault();
		const at = this.plot.posToVal(event.clientX - this.plot.over.getBoundingClientRect().left, "x") * 1e6;
		this.zoomAt(at, Math.exp(event.deltaY * 0.01));
	}

	/** @param {number} at µs @param {number} factor */
	zoomAt(at, factor) {
		const { from, to } = this.state.get().view;
		this.zoom(at - (at - from) * factor, at + (to - at) * factor);
	}

	/** @param {KeyboardEvent} event */
	key(event) {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const { view, cursor } = this.state.get();
		const width = view.to - view.from;
		const at = cursor === null ? view.from + width / 2 : Math.min(Math.max(cursor, view.from), view.to);
		const move = (/** @type {number} */ by) => this.state.set({ cursor: Math.round(Math.min(Math.max(at + by * width, view.from), view.to)) });
		const step = event.shiftKey ? 0.1 : 0.01;
		switch (event.key) {
		case "ArrowRight": move(step); break;
		case "ArrowLeft": move(-step); break;
		case "+": case "=": this.zoomAt(at, 0.5); break;
		case "-": case "−": this.zoomAt(at, 2); break;
		case "PageDown": this.zoom(view.from + width * 0.8, view.to + width * 0.8); break;
		case "PageUp": this.zoom(view.from - width * 0.8, view.to - width * 0.8); break;
		case "0": case "Home": this.whole(); break;
		default: return;
		}
		event.preventDefault();
		event.stopPropagation();
	}

	/** Takes the width that there is. */
	fit() {
		const wide = Math.floor(this.box.clientWidth);
		const high = chartHeight();
		this.box.style.minHeight = `${high}px`; // what is below stays where it is until the chart is drawn
		if (this.plot && wide > 0 && (wide !== this.plot.width || high !== this.plot.height)) this.plot.setSize({ width: wide, height: high });
	}

	/** Shows the span of the state. */
	showView() {
		const { from, to } = this.state.get().view;
		this.plot?.setScale("x", { min: from / 1e6, max: to / 1e6 });
	}

	/** Shows the cursor of the state. */
	showCursor() {
		const { cursor } = this.state.get();
		const u = this.plot;
		if (u) {
			const left = cursor === null ? -10 : u.valToPos(cursor / 1e6, "x");
			if (Math.abs((u.cursor.left ?? -10) - left) > 0.75) u.setCursor({ left, top: cursor === null ? -10 : 10 }, false);
		}
		this.describe(cursor);
	}

	/** Says in words what is at the cursor. @param {number | null} cursor */
	describe(cursor) {
		const at = cursor ?? this.run.span.from;
		const values = this.at(at);
		if (cursor === null) {
			this.readout.replaceChildren(this.kind.axis);
		} else {
			const shown = values.slice(0, 6).flatMap(({ machine, value }) => {
				const dot = h("span", { class: "dot" });
				dot.style.setProperty("--mark", `var(${machineProperty(this.run.head.machines[machine].color)})`);
				return [dot, `vm-${this.run.ids[machine]} `, h("b", {}, this.kind.format(value))];
			});
			this.readout.replaceChildren(h("b", {}, formatDuration(at)), ...shown, values.length > 6 ? ` and ${values.length - 6} more` : "",
				...this.spansAt(at).map((span) => ` · ${span.text || span.kind}`));
		}
		this.box.setAttribute("aria-valuemin", String(this.run.span.from / 1e6));
		this.box.setAttribute("aria-valuemax", String(this.run.span.to / 1e6));
		this.box.setAttribute("aria-valuenow", String(at / 1e6));
		this.box.setAttribute("aria-valuetext", `${formatDuration(at)}: ` + (values.length === 0 ? "not known" :
			values.slice(0, 6).map(({ machine, value }) => `machine ${this.run.ids[machine]} ${this.kind.format(value)}`).join(", ")));
	}

	/** The values at an instant: highlighted machines first, then those with the greatest. @param {number} micro */
	at(micro) {
		const { highlighted, hidden } = this.state.get().machines;
		const values = this.lines.filter((line) => !hidden.includes(line.machine))
			.map((line) => ({ machine: line.machine, value: line.high[placeInLine(line, micro)] }));
		if (values.length <= 6) return values;
		const rank = (/** @type {{machine: number}} */ v) => (highlighted.includes(v.machine) ? 1 : 0);
		return values.sort((a, b) => rank(b) - rank(a) || b.value - a.value || a.machine - b.machine);
	}

	/** @param {number} micro @returns {Span[]} */
	spansAt(micro) {
		return this.run.head.spans.filter((s) => s.from <= micro && micro <= s.to).slice(0, 2);
	}

	/** The same as a table, at some instants. */
	table() {
		const { from, to } = this.run.span;
		const last = (/** @type {Line} */ line) => line.high[line.high.length - 1];
		const shown = this.lines.length <= fewMachines ? this.lines : [...this.lines].sort((a, b) => last(b) - last(a)).slice(0, fewMachines);
		const rows = Array.from({ length: 13 }, (_, k) => from + (to - from) * k / 12).map((t) =>
			[formatDuration(t), ...shown.map((line) => this.kind.format(line.high[placeInLine(line, Math.min(t, to - 1))]))]);
		const element = h("div", {}, tableElement({
			title: `${this.kind.title} (${this.run.head.name})`, columns: ["time", ...shown.map((line) => `vm-${this.run.ids[line.machine]}`)], rows, keys: 1,
		}));
		if (shown.length < this.lines.length) element.append(h("p", { class: "table-note" }, `The ${shown.length} machines with the greatest value at the end, of ${this.lines.length}.`));
		return element;
	}
}

function chartHeight() {
	if (document.documentElement.hasAttribute("data-print")) return 150;
	return innerWidth < 640 ? 170 : 220;
}

function axisFont() {
	return `12px ${themeColor("--sans")}`;
}

/**
 * The colour of a span, and how strong its ground is.
 *
 * @param {string} kind
 * @returns {[string, number]}
 */
export function spanColor(kind) {
	switch (kind) {
	case "crash": case "kill": return ["--bad", 0.12];
	case "pause": case "late": case "stall": case "clock": return ["--warn", 0.12];
	default: return ["--accent", 0.1];
	}
}
