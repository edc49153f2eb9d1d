import { createCausal } from "../causal.js";
import { h } from "../dom.js";
import { formatCount, formatPlural } from "../format.js";
import { linkTo, maxRowHeight } from "../fragment.js";
import { copyText } from "../head.js";
import { eventAt, logLine, RECEIVE, SEND } from "../run.js";
import { initialState } from "../state.js";
import { createAxis } from "./axis.js";
import { Card } from "./card.js";
import { countsOf, cutSentence, deed, eventSentence, formatInstant, messageName, placeOfEvent, relationOf, relationWords } from "./describe.js";
import { Painter, sizeCanvas } from "./draw.js";
import { exportView, svgNode } from "./export.js";
import { frameOf } from "./frame.js";
import { listen } from "./gestures.js";
import { hitTest, nearestEvent } from "./hit.js";
import { commandOf, diagramKeys } from "./keys.js";
import { Minimap } from "./minimap.js";
import { moveEvent } from "./move.js";
import { drawChain, drawHits, drawOverlay } from "./overlay.js";
import { panelContent } from "./panel.js";
import { layoutRows, rowAt } from "./rows.js";
import { createScale, firstAbove, firstAtLeast } from "./scale.js";
import { buildScene, CONCURRENT, createScene, stateOf } from "./scene.js";
import { nextHit, startSearch } from "./search.js";
import { shadingOf } from "./shade.js";
import { readPalette } from "./theme.js";
import { createToolbar } from "./toolbar.js";

/**
 * The space-time diagram of a run.
 *
 * @typedef {import("../run.js").RunData} RunData
 * @typedef {import("../state.js").State} State
 * @typedef {import("../state.js").PageState} PageState
 * @typedef {{announce: (text: string) => void, marks?: {machine: number, position: number, text: string}[]}} DiagramOptions
 */

/**
 * @param {HTMLElement} container @param {RunData} run @param {number} runIndex @param {State} state @param {DiagramOptions} options
 */
export function createDiagram(container, run, runIndex, state, options) {
	const diagram = new Diagram(container, run, runIndex, state, options);
	return {
		element: diagram.element,
		keys: diagramKeys,
		focus: () => diagram.plot.focus(),
		destroy: () => diagram.destroy(),
	};
}

const axisHeight = 26;
const topMargin = 6;
const inset = 12; // of the ends of the axis from those of the plot
const glideTime = 180; // ms
const morphTime = 900;
const keptTimings = 1000; // of each name, for the browser's tools

class Diagram {
	/** @param {HTMLElement} container @param {RunData} run @param {number} runIndex @param {State} state @param {DiagramOptions} options */
	constructor(container, run, runIndex, state, { announce, marks = [] }) {
		this.run = run;
		this.runIndex = runIndex;
		this.state = state;
		this.announce = announce;
		this.causal = createCausal(run);
		/** @type {{time?: import("./axis.js").Axis, clock?: import("./axis.js").Axis}} */
		this.axes = {};
		this.flags = marks.map(({ machine, position, text }) => ({ event: eventAt(run, machine, position), text })).filter(({ event }) => event >= 0);
		this.scene = createScene();
		this.painter = new Painter();
		/** @type {{time: Map<number, number>, clock: Map<number, number>}} where events are that were moved */
		this.moved = { time: new Map(), clock: new Map() };
		/** @type {import("./hit.js").Hit} */
		this.hover = { event: -1, message: -1, span: null, record: null };
		/** @type {import("./search.js").Search | null} */
		this.found = null;
		this.scroll = 0;
		this.pointerX = this.pointerY = 0;
		// What the drawing methods hand on to each other; refresh and drawScene fill it before anything reads it.
		/** @type {import("./rows.js").Rows} */
		this.rows = { list: [], of: [], height: 0 };
		this.scale = createScale(0, 1, 0, 1);
		/** @type {import("./scene.js").Shading | null} */
		this.shading = null;
		/** @type {string | null} the chosen events for which the shading is */
		this.shadedFor = null;
		/** @type {number[]} messages that carried the clock of the one chosen event */
		this.carriers = [];
		/** @type {import("./describe.js").Relation | null} of the two chosen events */
		this.relation = null;
		/** @type {number[] | null} the cut of which the report is */
		this.cutFor = null;
		/** @type {import("../causal.js").CutReport | null} */
		this.cutReport = null;
		/** @type {(e: number) => number} */
		this.place = () => 0;
		this.frame = /** @type {import("./draw.js").Frame} */ (/** @type {unknown} */ (null));
		this.searchedFor = "";
		this.describedFocus = -1;
		this.lastAxis = "";
		/** @type {[number, number] | null} */
		this.band = null;
		/** @type {[number, number] | null} */
		this.reach = null;
		/** @type {{scale: import("./scale.js").Scale, values: Float64Array, began: number} | null} */
		this.morph = null;
		this.gliding = 0;
		this.pending = 0;
		this.dirty = { scene: true, panel: true, size: true };

		this.base = h("canvas", { "aria-hidden": "true" });
		this.over = h("canvas", { "aria-hidden": "true", class: "over" });
		const number = `diagram-${runIndex}`;
		const name = state.runs.length > 1 ? `run ${runIndex + 1}, ${run.head.name}` : run.head.name || "the run";
		this.paper = h("div", { class: "paper", "aria-hidden": "true" });
		this.here = h("div", { id: `${number}-here`, role: "img", class: "here", "aria-label": "No event yet: press the right arrow" });
		this.plot = h("div", {
			class: "diagram-plot", role: "application", tabIndex: 0, "aria-roledescription": "space-time diagram", "aria-activedescendant": this.here.id,
			"aria-label": `Space-time diagram of ${name}: ${formatPlural(run.machines, "machine")}, ${formatPlural(run.total, "event")}. Arrow keys step from event to event, Enter chooses one.`,
		}, this.base, this.over, this.paper, this.here);
		this.card = new Card(this.plot);
		this.minimap = new Minimap(run, (centre) => this.centre(centre));
		this.toolbar = createToolbar(run, name, state.get, this.toolActions());
		this.panel = h("div", { class: "diagram-panel" });
		this.legend = legendElement(run.messages.receive.some((e, m) => e < 0 && run.messages.to[m] >= 0));
		this.element = h("div", { class: "diagram" }, this.toolbar.element, this.plot, this.minimap.element, this.legend, this.panel);
		container.append(this.element);

		this.palette = readPalette(this.element);
		this.layout = this.measure();
		this.refresh();
		this.unlisten = listen(this.plot, this.gestures());
		this.plot.addEventListener("keydown", (event) => this.key(event));
		this.plot.addEventListener("focus", () => this.schedule());
		this.plot.addEventListener("blur", () => this.schedule());
		this.plot.addEventListener("dblclick", (event) => this.zoomTo(event));
		this.unsubscribe = state.subscribe((changed) => this.changed(changed));
		this.observer = new ResizeObserver(() => this.resized());
		this.observer.observe(this.plot);
		this.onTheme = () => {
			this.palette = readPalette(this.element);
			this.dirty.size = true;
			this.render();
			this.paper.replaceChildren(...(document.documentElement.hasAttribute("data-print") ? [svgNode(this.view())] : []));
		};
		document.addEventListener("themechange", this.onTheme);
		this.onResize = () => this.resized();
		addEventListener("resize", this.onResize);
		if (state.get().search !== "") this.search(state.get().search);
		this.toolbar.update(state.get());
		this.render();
	}

	destroy() {
		this.unlisten();
		this.unsubscribe();
		this.observer.disconnect();
		document.removeEventListener("themechange", this.onTheme);
		removeEventListener("resize", this.onResize);
		cancelAnimationFrame(this.pending);
		this.found?.stop();
		this.element.remove();
	}

	// What the picture is made of.

	/** @param {"time" | "clock"} name */
	axisNamed(name) {
		return (this.axes[name] ??= createAxis(this.run, name));
	}

	get axis() {
		return this.axisNamed(this.state.get().view.axis);
	}

	get movedNow() {
		return this.moved[this.state.get().view.axis];
	}

	/** @returns {import("./draw.js").Layout} */
	measure() {
		const width = Math.max(this.plot.clientWidth, 240);
		const { machines } = this.state.get();
		const shown = Math.max(1, machines.order.filter((i) => i < this.run.machines && !machines.hidden.includes(i)).length);
		const printing = document.documentElement.hasAttribute("data-print");
		const tall = Math.max(300, printing ? 420 : window.innerHeight * 0.68);
		const plotHeight = Math.round(Math.max(150, Math.min(tall, shown * (width < 560 ? 72 : 92))));
		const left = width < 560 ? 62 : 84;
		return { width, height: plotHeight + axisHeight + topMargin, left, top: topMargin, plotWidth: width - left, plotHeight };
	}

	/** The range of the axis that is shown. */
	get range() {
		const { view } = this.state.get();
		return view.axis === "time" ? view : view.clock;
	}

	/** @returns {number[]} */
	get chosen() {
		return this.state.get().selection.filter((p) => p.run === this.runIndex).map((p) => eventAt(this.run, p.machine, p.position)).filter((e) => e >= 0);
	}

	get focused() {
		const { focus } = this.state.get();
		return focus && focus.run === this.runIndex ? eventAt(this.run, focus.machine, focus.position) : -1;
	}

	get chosenMessage() {
		const m = this.state.get().message;
		if (!m || m.run !== this.runIndex) return -1;
		const e = eventAt(this.run, m.machine, m.position);
		return e < 0 ? -1 : this.run.messagesBefore[e] + m.index;
	}

	/** Does anew what depends on what was chosen, and on how the lines lie. */
	refresh() {
		const { run } = this;
		const state = this.state.get();
		const chosen = this.chosen;
		const key = chosen.join();
		if (key !== this.shadedFor) {
			const began = performance.now();
			this.shadedFor = key;
			this.shading = shadingOf(run, this.causal, chosen);
			measureTime("diagram cones", began);
			this.carriers = chosen.length === 1 ? this.causal.carriers(chosen[0]) : [];
			this.relation = chosen.length === 2 ? relationOf(run, chosen[0], chosen[1], this.causal) : null;
		}
		if (state.cut !== this.cutFor) {
			this.cutFor = state.cut;
			this.cutReport = state.cut && state.cut.length >= run.machines ? this.causal.cut(state.cut) : null;
		}
		const involved = new Set(chosen.map((e) => run.machineOf[e]));
		const message = this.chosenMessage;
		const messages = [...(this.relation?.chain ?? []), ...(message >= 0 ? [message] : []), ...this.carriers.slice(-8)];
		for (const m of messages) {
			involved.add(run.machineOf[run.messages.send[m]]);
			if (run.messages.to[m] >= 0) involved.add(run.messages.to[m]);
		}
		const { order, hidden, folded, highlighted } = state.machines;
		this.rows = layoutRows({
			order: order.filter((i) => i < run.machines), hidden, folded, highlighted, involved, height: this.layout.plotHeight, wanted: state.rows,
		});
		this.scroll = Math.max(0, Math.min(this.scroll, this.rows.height - this.layout.plotHeight));
		const axis = this.axis;
		this.scale = createScale(this.range.from, this.range.to, this.layout.left + inset, this.layout.plotWidth - 2 * inset, state.quiet ? axis.folds(hidden) : null);
	}

	/** @param {import("../state.js").Changed} changed */
	changed(changed) {
		if (changed.has("machines")) this.dirty.size = true;
		if (changed.has("selection") || changed.has("message") || changed.has("cut")) this.dirty.panel = true;
		if (changed.has("view") && this.lastAxis !== this.state.get().view.axis) this.dirty.panel = true;
		if (changed.has("search") && this.state.get().search !== this.searchedFor) this.search(this.state.get().search);
		const light = [...changed].every((key) => key === "cursor" || key === "focus");
		if (!light) {
			this.dirty.scene = true;
			this.toolbar.update(this.state.get());
		}
		this.schedule();
	}

	resized() {
		const layout = this.measure();
		if (layout.width === this.layout.width && layout.height === this.layout.height && !this.dirty.size) return;
		this.dirty.size = this.dirty.scene = true;
		this.schedule();
	}

	schedule() {
		this.pending ||= requestAnimationFrame(() => {
			this.pending = 0;
			this.render();
		});
	}

	render() {
		const began = performance.now();
		const ratio = Math.min(window.devicePixelRatio || 1, 3);
		if (this.dirty.size) {
			this.layout = this.measure();
			this.plot.style.height = `${this.layout.height}px`;
			this.dirty.scene = true;
			this.dirty.size = false;
		}
		for (const canvas of [this.base, this.over]) sizeCanvas(canvas, this.layout.width, this.layout.height, ratio);
		if (this.dirty.scene || this.morph) this.drawScene(ratio);
		this.drawOver(ratio);
		if (this.dirty.panel) this.drawPanel();
		measureTime("diagram frame", began);
	}

	/** @param {number} ratio */
	drawScene(ratio) {
		this.refresh();
		const { run, axis, scale, rows, scroll, layout, shading, scene } = this;
		this.lastAxis = axis.name;
		let pixelOf = null;
		if (this.morph) {
			const part = Math.min(1, (performance.now() - this.morph.began) / morphTime);
			const ease = part < 0.5 ? 4 * part ** 3 : 1 - (2 - 2 * part) ** 3 / 2;
			const { scale: before, values } = this.morph;
			pixelOf = (/** @type {number} */ e) => before.toPixel(values[e]) * (1 - ease) + scale.toPixel(axis.values[e]) * ease;
			if (part < 1) this.schedule();
			else this.morph = pixelOf = null;
		}
		buildScene({ run, axis, scale, rows, scroll, height: layout.plotHeight, shading, moved: this.movedNow, pixelOf }, scene);
		this.place = pixelOf ?? ((/** @type {number} */ e) => scale.toPixel(this.movedNow.get(e) ?? axis.values[e]));
		this.frame = frameOf({ run, axis, scale, scene, rows, layout, scroll, palette: this.palette, shading, place: this.place });
		const context = /** @type {CanvasRenderingContext2D} */ (this.base.getContext("2d", { alpha: false }));
		this.painter.draw(context, this.frame, ratio, this.underMarks(context));
		this.minimap.draw(this.axis, this.range, this.palette, layout, { hits: this.found?.hits ?? [], chosen: this.chosen });
		this.dirty.scene = this.morph !== null;
	}

	/** What lies between lines and marks: the chain, and what was found. @param {CanvasRenderingContext2D} context */
	underMarks(context) {
		const chain = this.chain();
		return () => {
			const where = this.where();
			if (chain) drawChain(context, this.frame, chain, where);
			drawHits(context, this.frame, this.found?.hits ?? [], where);
		};
	}

	/** @returns {import("./overlay.js").Where} */
	where() {
		const { run, axis, scale, rows, scroll } = this;
		const place = this.place;
		return {
			x: place,
			y: (machine) => {
				const row = rows.of[machine];
				return row && row.y - scroll;
			},
			cutX: (machine, count) => {
				const [from, to] = [run.offset[machine], run.offset[machine + 1]];
				const next = from + count - run.first[machine];
				const edge = (/** @type {number} */ x) => Math.max(scale.left - 8, Math.min(scale.left + scale.width + 8, x));
				if (from === to) return edge(scale.toPixel(axis.from));
				if (next <= from) return Math.min(place(from) - 5, edge(scale.toPixel(axis.from)));
				if (next >= to) return Math.max(place(to - 1) + 5, edge(scale.toPixel(axis.to)));
				return (place(next - 1) + place(next)) / 2;
			},
		};
	}

	/** The chain that carried the clock of the one chosen event, or that leads from one of the two to the other. */
	chain() {
		const chosen = this.chosen;
		const { run, relation, carriers } = this;
		if (chosen.length === 1) {
			const from = carriers.length > 0 ? run.messages.send[carriers[0]] : chosen[0];
			return { start: run.offset[run.machineOf[from]], messages: carriers, end: chosen[0] };
		}
		if (!relation || relation.order === "concurrent") return null;
		const [start, end] = relation.order === "before" ? chosen : [chosen[1], chosen[0]];
		return { start, messages: relation.chain, end };
	}

	/** Messages that cross the cut; of very many, some. @param {"flying" | "backward"} which */
	crossing(which) {
		const { messages } = this.causal.links();
		return (this.cutReport?.[which] ?? []).flatMap((r) => [...messages.subarray(r.from, Math.min(r.to, r.from + 400))]).slice(0, 1500);
	}

	/** @returns {import("./overlay.js").Overlay} */
	overlay() {
		const state = this.state.get();
		const chosen = this.chosen;
		return {
			chosen,
			chain: this.chain(),
			focus: this.focused,
			hover: this.hover.event,
			message: this.chosenMessage,
			hoverMessage: this.hover.message,
			cut: state.cut && this.cutReport ? { cut: state.cut, consistent: this.cutReport.consistent, flying: this.crossing("flying"), backward: this.crossing("backward") } : null,
			flags: this.flags,
			cursor: state.cursor !== null && this.axis.name === "time" && this.hover.event < 0 ? this.scale.toPixel(state.cursor) : null,
			band: this.band,
			reach: this.reach,
			keyboard: this.plot.matches(":focus-visible"),
		};
	}

	/** @param {number} ratio */
	drawOver(ratio) {
		const context = /** @type {CanvasRenderingContext2D} */ (this.over.getContext("2d"));
		const overlay = this.overlay();
		if (overlay.focus >= 0 && overlay.focus !== this.describedFocus) {
			this.describedFocus = overlay.focus;
			this.here.setAttribute("aria-label", eventSentence(this.run, overlay.focus));
		}
		drawOverlay(context, this.frame, overlay, this.where(), ratio);
		this.showCard(overlay);
	}

	drawPanel() {
		this.dirty.panel = false;
		this.panel.replaceChildren(...panelContent(this.run, this.causal, {
			chosen: this.chosen, message: this.chosenMessage, carriers: this.carriers, moved: this.movedNow.size,
			cut: this.cutReport && { report: this.cutReport, flying: this.crossing("flying"), backward: this.crossing("backward") },
		}, {
			goTo: (e) => this.goTo(e, true),
			clear: () => this.command("clear"),
			copyLink: () => this.copyLink(),
			chooseMessage: (m) => this.chooseMessage(m),
			closeCut: () => this.closeCut(),
			removeCut: () => this.state.set({ cut: null }),
			putBack: () => this.putBack(),
		}));
		const between = this.relation !== null && this.relation.order !== "concurrent";
		this.legend.classList.toggle("with-cone", this.chosen.length > 0 && !between);
		this.legend.classList.toggle("with-chain", this.chosen.length === 1 || between);
		this.legend.classList.toggle("with-between", between);
	}

	/** The card beside what the pointer or the keyboard is at. @param {import("./overlay.js").Overlay} overlay */
	showCard(overlay) {
		const { run, hover, layout } = this;
		if (this.reach) return this.card.hide();
		const byKeys = overlay.keyboard && overlay.focus >= 0 && hover.event < 0 && hover.message < 0 && !hover.span && !hover.record;
		const e = byKeys ? overlay.focus : hover.event;
		if (e >= 0) {
			const row = this.rows.of[run.machineOf[e]];
			if (!row) return this.card.hide();
			const chosen = overlay.chosen;
			const words = this.flags.filter((flag) => flag.event === e).map((flag) => flag.text);
			if (chosen.length === 1 && chosen[0] !== e) words.push(relationWords(run, e, chosen[0], this.causal));
			const relation = words.join("; ");
			this.card.showEvent(run, e, this.place(e), layout.top + row.y - this.scroll, layout, relation);
		} else if (hover.message >= 0) {
			const receive = run.messages.receive[hover.message];
			this.card.showText(messageName(run, hover.message), receive >= 0 ? logLine(run, receive) : "not received: under way, or waiting, at the end", this.pointerX, this.pointerY, layout);
		} else if (hover.record) {
			this.card.showText(`${hover.record.kind}, at ${formatInstant(hover.record.t)}`, hover.record.text, this.pointerX, this.pointerY, layout);
		} else if (hover.span) {
			const { kind, from, to, text } = hover.span;
			this.card.showText(`${kind}, ${formatInstant(from)} to ${formatInstant(to)}`, text, this.pointerX, this.pointerY, layout);
		} else {
			this.card.hide();
		}
	}

	// What the reader does.

	/** @returns {import("./gestures.js").Gestures} */
	gestures() {
		return {
			grip: (x, y, event) => this.grip(x, y, event),
			pan: (dx, dy) => {
				this.pan(dx);
				if (dy !== 0 && this.rows.height > this.layout.plotHeight) {
					this.scroll -= dy;
					this.dirty.scene = true;
					this.schedule();
				}
			},
			zoom: (x, factor) => this.zoomAbout(x, factor),
			scroll: (x, dy) => {
				if (x >= this.layout.left || this.rows.height <= this.layout.plotHeight) return false;
				this.scroll += dy;
				this.dirty.scene = true;
				this.schedule();
				return true;
			},
			canZoomOut: () => this.range.to - this.range.from < (this.axis.to - this.axis.from) * 0.999,
			band: (from, to, done) => {
				this.band = done ? null : [Math.min(from, to), Math.max(from, to)];
				if (done) this.setRange(this.scale.toValue(Math.min(from, to)), this.scale.toValue(Math.max(from, to)));
				this.schedule();
			},
			click: (x, y, event) => this.click(x, y, event),
			hover: (x, y, event) => this.point(x, y, event),
		};
	}

	/** @param {number} from @param {number} to */
	setRange(from, to) {
		const { view } = this.state.get();
		const axis = this.axis;
		const whole = axis.to - axis.from;
		const least = axis.name === "time" ? 20 : 1;
		let size = Math.max(least, Math.min(to - from, whole));
		if (!Number.isFinite(size)) size = whole;
		let start = (from + to) / 2 - size / 2;
		start = Math.max(axis.from, Math.min(axis.to - size, start));
		if (size >= whole) [start, size] = [axis.from, whole];
		const range = { from: start, to: start + size };
		if (axis.name === "time") this.state.set({ view: { ...view, ...range } });
		else this.state.set({ view: { ...view, ...this.acrossAxes("clock", "time", range), clock: range } });
	}

	/** What a range of one axis covers on the other: that of its events. @param {"time" | "clock"} from @param {"time" | "clock"} to @param {{from: number, to: number}} range */
	acrossAxes(from, to, range) {
		const { run } = this;
		const [source, target] = [this.axisNamed(from), this.axisNamed(to)];
		if (range.from <= source.from && range.to >= source.to) return { from: target.from, to: target.to };
		let [least, greatest] = [Infinity, -Infinity];
		for (let i = 0; i < run.machines; i++) {
			const a = firstAtLeast(source.values, range.from, run.offset[i], run.offset[i + 1]);
			const z = firstAbove(source.values, range.to, a, run.offset[i + 1]) - 1;
			if (z < a) continue;
			least = Math.min(least, target.values[a]);
			greatest = Math.max(greatest, target.values[z]);
		}
		if (greatest < least) return { from: target.from, to: target.to };
		const margin = Math.max((greatest - least) * 0.02, to === "clock" ? 1 : 20);
		return { from: Math.max(target.from, least - margin), to: Math.min(target.to, greatest + margin) };
	}

	/** @param {number} dx pixels */
	pan(dx) {
		const { scale } = this;
		this.stopGliding();
		const [from, to] = [scale.toValue(scale.left - dx), scale.toValue(scale.left + scale.width - dx)];
		const size = this.range.to - this.range.from;
		// Across folds the ends move by different amounts; without them the size must not creep.
		if (!scale.folds) this.setRange(from, from + size);
		else if (from >= this.axis.from && to <= this.axis.to) this.setRange(from, to);
	}

	/** @param {number} x pixel @param {number} factor above 1: nearer */
	zoomAbout(x, factor) {
		this.stopGliding();
		const [from, to] = this.zoomed(x, factor);
		this.setRange(from, to);
	}

	/** @param {number} x @param {number} factor @returns {[number, number]} */
	zoomed(x, factor) {
		const { scale } = this;
		return [scale.toValue(x - (x - scale.left) / factor), scale.toValue(x + (scale.left + scale.width - x) / factor)];
	}

	/** Moves smoothly, unless the reader wants no motion. @param {number} from @param {number} to */
	glide(from, to) {
		this.stopGliding();
		const start = { ...this.range };
		if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
			this.setRange(from, to);
			return;
		}
		const began = performance.now();
		const step = () => {
			const part = Math.min(1, (performance.now() - began) / glideTime);
			const ease = 1 - (1 - part) ** 3;
			this.setRange(start.from + (from - start.from) * ease, start.to + (to - start.to) * ease);
			this.gliding = part < 1 ? requestAnimationFrame(step) : 0;
		};
		step();
	}

	stopGliding() {
		cancelAnimationFrame(this.gliding);
		this.gliding = 0;
	}

	/** @param {number} value of the axis */
	centre(value) {
		const half = (this.range.to - this.range.from) / 2;
		this.stopGliding();
		this.setRange(value - half, value + half);
	}

	/** To the event under the pointer, with about thirty of its machine around it. @param {MouseEvent} event */
	zoomTo(event) {
		const { run, axis } = this;
		const box = this.plot.getBoundingClientRect();
		const e = this.hit(event.clientX - box.left, event.clientY - box.top).event;
		if (e < 0) return;
		this.choose(e, true);
		const i = run.machineOf[e];
		const [first, last] = [Math.max(run.offset[i], e - 15), Math.min(run.offset[i + 1] - 1, e + 15)];
		const half = Math.max((axis.values[last] - axis.values[first]) / 2, 1);
		if (half * 2 < this.range.to - this.range.from) this.glide(axis.values[e] - half, axis.values[e] + half);
	}

	/** @param {number} x @param {number} y @param {PointerEvent} [event] */
	hit(x, y, event) {
		const reach = event?.pointerType === "touch" ? 20 : 9;
		return hitTest(this.frame, this.axis, this.scale, this.rows, this.movedNow, x, y - this.layout.top, reach);
	}

	/** @param {number} x @param {number} y @param {PointerEvent | null} event */
	point(x, y, event) {
		const { layout } = this;
		this.pointerX = x;
		this.pointerY = y;
		const inside = event !== null && x >= layout.left && y <= layout.top + layout.plotHeight;
		const hover = inside ? this.hit(x, y, event) : { event: -1, message: -1, span: null, record: null };
		this.hover = hover;
		let cursor = "default";
		if (event && x < layout.left) cursor = "pointer";
		else if (inside) cursor = this.cutAt(x, y) !== null ? "col-resize" : this.movable(hover.event) ? "ew-resize" : hover.event >= 0 || hover.message >= 0 ? "pointer" : "grab";
		this.plot.style.cursor = cursor;
		const time = inside && this.axis.name === "time" ? this.scale.toValue(x) : null;
		this.state.set({ cursor: time });
		this.schedule();
	}

	/** An event that the reader may move: one that is concurrent with the chosen one. @param {number} e */
	movable(e) {
		return e >= 0 && this.chosen.length === 1 && this.scene.marks.count > 0 && stateOf(this.run, this.shading, e) === CONCURRENT;
	}

	/** The machine whose point of the cut is at a place; −1: the line; null: neither. @param {number} x @param {number} y @returns {number | null} */
	cutAt(x, y) {
		const { cut } = this.state.get();
		if (!cut || !this.cutReport) return null;
		const where = this.where();
		const row = rowAt(this.rows, y - this.layout.top + this.scroll);
		if (!row) return null;
		const away = Math.abs(where.cutX(row.machine, cut[row.machine]) - x);
		if (away > 7) return null;
		return row.height >= 12 && Math.abs(y - this.layout.top + this.scroll - row.y) <= 7 ? row.machine : -1;
	}

	/** @param {number} x @param {number} y @param {PointerEvent} event @returns {import("./gestures.js").Grip | null} */
	grip(x, y, event) {
		const { layout } = this;
		this.stopGliding();
		if (y > layout.top + layout.plotHeight) return null;
		if (x < layout.left) return this.gripLabel(y);
		const cut = this.cutAt(x, y);
		if (cut !== null) return { drag: (px) => this.dragCut(px, cut) };
		const e = this.hit(x, y, event).event;
		if (!this.movable(e)) return null;
		const base = new Map(this.movedNow);
		return {
			drag: (px) => this.moveTo(base, e, this.scale.toValue(px)),
			drop: () => {
				this.reach = null;
				this.schedule();
			},
		};
	}

	/** @param {Map<number, number>} base @param {number} e @param {number} value */
	moveTo(base, e, value) {
		const { axis, scale } = this;
		const gap = 9 / scale.perUnit;
		this.moved[axis.name] = moveEvent(this.run, axis.values, base, e, Math.min(Math.max(value, axis.from), axis.to), gap);
		const earliest = moveEvent(this.run, axis.values, base, e, -Infinity, gap).get(e) ?? axis.values[e];
		this.reach = [scale.toPixel(earliest), scale.left + scale.width];
		this.dirty.scene = this.dirty.panel = true;
		this.schedule();
	}

	putBack() {
		this.moved = { time: new Map(), clock: new Map() };
		this.dirty.scene = this.dirty.panel = true;
		this.schedule();
		this.announce("All events are where the log has them.");
	}

	/** Dragging a label orders the machines. @param {number} y @returns {import("./gestures.js").Grip | null} */
	gripLabel(y) {
		const row = rowAt(this.rows, y - this.layout.top + this.scroll);
		if (!row) return null;
		const { machine } = row;
		return {
			drag: (_, py) => {
				const over = rowAt(this.rows, py - this.layout.top + this.scroll);
				if (!over || over.machine === machine) return;
				const { machines } = this.state.get();
				const order = machines.order.filter((i) => i !== machine);
				const at = order.indexOf(over.machine);
				order.splice(py - this.layout.top + this.scroll > over.y ? at + 1 : at, 0, machine);
				this.state.set({ machines: { ...machines, order } });
			},
		};
	}

	/** @param {number} x @param {number} y @param {PointerEvent} event */
	click(x, y, event) {
		const { layout, run } = this;
		this.plot.focus({ preventScroll: true });
		if (y > layout.top + layout.plotHeight) return;
		if (x < layout.left) {
			const row = rowAt(this.rows, y - layout.top + this.scroll);
			if (row) this.toggleMachine(row.machine, "highlighted");
			return;
		}
		if (event.pointerType === "touch") this.point(x, y, event);
		const hit = this.hit(x, y, event);
		if (hit.event >= 0) this.choose(hit.event, event.altKey);
		else if (hit.message >= 0) this.chooseMessage(hit.message);
		else if (!hit.span && !hit.record) {
			// A line without marks: the nearest event will do.
			const row = rowAt(this.rows, y - layout.top + this.scroll);
			const e = row && this.scene.marks.count === 0 && Math.abs(y - layout.top + this.scroll - row.y) < Math.max(row.height / 3, 3) ? nearestEvent(run, this.axis, row.machine, this.scale.toValue(x)) : -1;
			if (e >= 0 && Math.abs(this.place(e) - x) < 12) this.choose(e, event.altKey);
			else this.command("clear");
		}
	}

	/** The first event that is chosen, the second, and the first of the next. @param {number} e @param {boolean} [alone] */
	choose(e, alone = false) {
		const place = placeOfEvent(this.run, e, this.runIndex);
		const selection = this.state.get().selection.filter((p) => p.run === this.runIndex);
		const again = selection.some((p) => p.machine === place.machine && p.position === place.position);
		if (again && selection.length === 1 && !alone) this.state.set({ selection: [], message: null, focus: place });
		else if (alone || again || selection.length !== 1) this.state.set({ selection: [place], message: null, focus: place });
		else this.state.set({ selection: [selection[0], place], message: null, focus: place });
		this.refresh();
		const chosen = this.chosen;
		if (chosen.length === 2 && this.relation) this.announce(`${this.relation.headline}. ${this.relation.clocks.map((c) => c.says).join(" ")}`);
		else if (chosen.length === 1) this.announce(`Chosen: ${eventSentence(this.run, e)} ${countsOf(this.run, this.causal, e)}`);
		else this.announce("Nothing is chosen.");
	}

	/** @param {number} m */
	chooseMessage(m) {
		const { run } = this;
		const send = run.messages.send[m];
		this.state.set({ message: { ...placeOfEvent(run, send, this.runIndex), index: m - run.messagesBefore[send] } });
		const receive = run.messages.receive[m];
		this.announce(`Chosen: ${messageName(run, m)}. ${receive >= 0 ? `Received ${formatInstant(run.micro[receive] - run.micro[send])} after it was sent.` : "Not received."}`);
	}

	/** @param {number} e @param {boolean} [toPlot] whether the keyboard goes there too */
	goTo(e, toPlot = false) {
		const { run } = this;
		const value = this.axis.values[e];
		const row = this.rows.of[run.machineOf[e]];
		if (!row) this.toggleMachine(run.machineOf[e], "hidden");
		const { from, to } = this.range;
		const margin = (to - from) * 0.04;
		if (value < from + margin || value > to - margin) this.centre(value);
		if (row && (row.y < this.scroll + 10 || row.y > this.scroll + this.layout.plotHeight - 10)) {
			this.scroll = row.y - this.layout.plotHeight / 2;
			this.dirty.scene = true;
		}
		if (toPlot) this.plot.focus({ preventScroll: false });
		this.state.set({ focus: placeOfEvent(run, e, this.runIndex) });
		const sentence = eventSentence(run, e);
		const chosen = this.chosen;
		this.announce(chosen.length === 1 ? `${sentence} ${relationWords(run, e, chosen[0], this.causal)}.` : sentence);
	}

	/** @param {KeyboardEvent} event */
	key(event) {
		if (event.target !== this.plot) return;
		const command = commandOf(event);
		if (!command) return;
		event.preventDefault();
		this.command(command);
	}

	/** The event that keys start from: the one in focus, else the chosen one, else the first in sight. */
	start() {
		if (this.focused >= 0) return { e: this.focused, fresh: false };
		const chosen = this.chosen;
		if (chosen.length > 0) return { e: chosen[0], fresh: false };
		for (const row of this.rows.list) {
			const e = firstAtLeast(this.axis.values, this.range.from, this.run.offset[row.machine], this.run.offset[row.machine + 1]);
			if (e < this.run.offset[row.machine + 1]) return { e, fresh: true };
		}
		return { e: -1, fresh: true };
	}

	/** @param {import("./keys.js").Command} command */
	command(command) {
		const { run, rows } = this;
		const state = this.state.get();
		const { e, fresh } = this.start();
		const machine = e >= 0 ? run.machineOf[e] : rows.list[0]?.machine ?? 0;
		const size = this.range.to - this.range.from;
		switch (command) {
			case "nextEvent": if (e >= 0) this.goTo(fresh || e + 1 >= run.offset[machine + 1] ? e : e + 1); break;
			case "previousEvent": if (e >= 0) this.goTo(fresh || e === run.offset[machine] ? e : e - 1); break;
			case "firstEvent": if (e >= 0) this.goTo(run.offset[machine]); break;
			case "lastEvent": if (e >= 0) this.goTo(run.offset[machine + 1] - 1); break;
			case "machineUp": this.stepRow(e, machine, -1); break;
			case "machineDown": this.stepRow(e, machine, 1); break;
			case "followMessage": this.follow(e, 0); break;
			case "followSecond": this.follow(e, 1); break;
			case "choose": if (e >= 0) this.choose(e); break;
			case "clear": this.state.set({ selection: [], message: null }); this.announce("Nothing is chosen."); break;
			case "zoomIn": case "zoomOut": {
				const x = e >= 0 && !fresh && this.axis.values[e] >= this.range.from && this.axis.values[e] <= this.range.to ? this.place(e) : this.scale.left + this.scale.width / 2;
				this.glide(...this.zoomed(x, command === "zoomIn" ? 2 : 0.5));
				break;
			}
			case "panLeft": this.glide(this.range.from - size / 4, this.range.to - size / 4); break;
			case "panRight": this.glide(this.range.from + size / 4, this.range.to + size / 4); break;
			case "whole": this.glide(this.axis.from, this.axis.to); break;
			case "search": this.toolbar.search.focus(); this.toolbar.search.select(); break;
			case "nextHit": this.stepHit(1); break;
			case "previousHit": this.stepHit(-1); break;
			case "switchAxis": this.setAxis(state.view.axis === "time" ? "clock" : "time"); break;
			case "foldQuiet": this.toggleQuiet(); break;
			case "toggleCut": this.toggleCut(); break;
			case "cutBack": this.stepCut(-1); break;
			case "cutOn": this.stepCut(1); break;
			case "hideMachine": this.toggleMachine(machine, "hidden"); break;
			case "foldMachine": this.toggleMachine(machine, "folded"); break;
			case "highlightMachine": this.toggleMachine(machine, "highlighted"); break;
			case "raiseMachine": this.moveMachine(machine, -1); break;
			case "lowerMachine": this.moveMachine(machine, 1); break;
			case "moveBack": this.nudge(e, -1); break;
			case "moveOn": this.nudge(e, 1); break;
		}
	}

	/** @param {number} e @param {number} machine @param {1 | -1} by */
	stepRow(e, machine, by) {
		if (e < 0) return;
		const list = this.rows.list;
		for (let k = list.findIndex((row) => row.machine === machine) + by; k >= 0 && k < list.length; k += by) {
			const other = nearestEvent(this.run, this.axis, list[k].machine, this.axis.values[e]);
			if (other >= 0) {
				this.goTo(other);
				return;
			}
		}
		this.announce(by < 0 ? "There is no machine above." : "There is no machine below.");
	}

	/** Along a message, to its other end. @param {number} e @param {number} which message of a send */
	follow(e, which) {
		const { run } = this;
		if (e < 0) return;
		let m = -1;
		if (run.kind[e] === RECEIVE) m = run.receipts.message[run.receivesBefore[e]];
		if (run.kind[e] === SEND && run.messagesBefore[e] + which < run.messagesBefore[e + 1]) m = run.messagesBefore[e] + which;
		const other = m < 0 ? -1 : run.kind[e] === RECEIVE ? run.messages.send[m] : run.messages.receive[m];
		if (other < 0) {
			this.announce(m < 0 ? `This event ${deed(run, e) === "internal" ? "is internal: it has no message" : "has no such message"}.` : "The message was not received.");
			return;
		}
		const send = run.messages.send[m];
		this.state.set({ message: { ...placeOfEvent(run, send, this.runIndex), index: m - run.messagesBefore[send] } });
		this.goTo(other);
	}

	/** @param {number} e @param {1 | -1} by */
	nudge(e, by) {
		if (!this.movable(e)) {
			this.announce("Only an event that is concurrent with the chosen one can be moved, and only near enough to have a mark.");
			return;
		}
		const before = this.movedNow.get(e) ?? this.axis.values[e];
		this.moveTo(new Map(this.movedNow), e, before + (by * 12) / this.scale.perUnit);
		this.reach = null;
		const after = this.movedNow.get(e) ?? before;
		this.announce(after === before ? "It can go no further: what happened before it stays." : `Moved to ${this.axis.name === "time" ? formatInstant(after) : formatCount(Math.floor(after))}.`);
	}

	// Tools.

	/** @returns {import("./toolbar.js").ToolActions} */
	toolActions() {
		return {
			setAxis: (axis) => this.setAxis(axis),
			zoom: (factor) => this.command(factor > 1 ? "zoomIn" : "zoomOut"),
			showAll: () => this.command("whole"),
			toggleQuiet: () => this.toggleQuiet(),
			toggleCut: () => this.toggleCut(),
			search: (query) => this.state.set({ search: query }),
			nextHit: (step) => this.stepHit(step),
			leaveSearch: () => this.plot.focus(),
			taller: (factor) => {
				const usual = this.rows.list.find((row) => !row.folded)?.height ?? 20;
				this.state.set({ rows: factor === 0 ? 0 : Math.round(Math.max(6, Math.min(maxRowHeight, usual * factor))) });
			},
			toggleMachine: (machine, what) => this.toggleMachine(machine, what),
			moveMachine: (machine, by) => this.moveMachine(machine, by),
			showMachines: () => this.state.set({ machines: initialState([this.run]).machines, rows: 0 }),
			exportAs: (what) => this.exportAs(what),
		};
	}

	/** @param {"time" | "clock"} axis */
	setAxis(axis) {
		const { view } = this.state.get();
		if (view.axis === axis) return;
		const [before, range] = [this.axis, this.range];
		const target = this.acrossAxes(before.name, axis, range);
		const still = matchMedia("(prefers-reduced-motion: reduce)").matches || this.scene.marks.count === 0;
		this.morph = still ? null : { scale: this.scale, values: before.values, began: performance.now() };
		this.state.set({ view: axis === "time" ? { ...view, axis, ...target } : { ...view, axis, clock: target } });
		this.announce(axis === "time" ? "x is the wall clock." : "x is logical time: the total order of clock and machine.");
	}

	toggleQuiet() {
		const quiet = !this.state.get().quiet;
		this.state.set({ quiet });
		const folds = quiet ? this.axis.folds(this.state.get().machines.hidden) : null;
		this.announce(!quiet ? "Nothing is folded." : folds ? `${formatPlural(folds.start.length, "stretch", "stretches")} without messages ${folds.start.length === 1 ? "is" : "are"} folded.` : "No stretch without messages is long enough to be folded.");
	}

	/** @param {number} machine @param {"hidden" | "folded" | "highlighted"} what */
	toggleMachine(machine, what) {
		const { machines } = this.state.get();
		const on = !machines[what].includes(machine);
		if (on && what === "hidden" && machines.hidden.length + 1 >= this.run.machines) {
			this.announce("The last machine stays.");
			return;
		}
		this.state.set({ machines: { ...machines, [what]: on ? [...machines[what], machine] : machines[what].filter((i) => i !== machine) } });
		this.announce(`vm-${this.run.ids[machine]} is ${on ? "" : "no longer "}${what}.`);
	}

	/** @param {number} machine @param {number} by */
	moveMachine(machine, by) {
		const { machines } = this.state.get();
		const order = [...machines.order];
		const shown = order.filter((i) => i < this.run.machines && !machines.hidden.includes(i));
		const neighbour = shown[shown.indexOf(machine) + by];
		if (neighbour === undefined) return;
		const [a, b] = [order.indexOf(machine), order.indexOf(neighbour)];
		[order[a], order[b]] = [order[b], order[a]];
		this.state.set({ machines: { ...machines, order } });
		this.announce(`vm-${this.run.ids[machine]} is now ${by < 0 ? "above" : "below"} vm-${this.run.ids[neighbour]}.`);
	}

	/** How many events of each machine lie before a value. @param {number} value */
	cutBefore(value) {
		const { run, axis } = this;
		const count = this.state.get().machines.order.length;
		return Array.from({ length: count }, (_, i) =>
			(i >= run.machines ? 0 : run.first[i] + firstAbove(axis.values, value, run.offset[i], run.offset[i + 1]) - run.offset[i]));
	}

	toggleCut() {
		if (this.state.get().cut) {
			this.state.set({ cut: null });
			this.announce("The cut is gone.");
			return;
		}
		this.setCut(this.cutBefore(this.scale.toValue(this.scale.left + this.scale.width / 2)));
	}

	/** @param {number[]} cut */
	setCut(cut) {
		this.state.set({ cut });
		this.refresh();
		if (this.cutReport) this.announce(cutSentence(this.cutReport));
	}

	/** @param {number} x pixel @param {number} machine −1: all of them */
	dragCut(x, machine) {
		const { cut } = this.state.get();
		if (!cut) return;
		const moved = this.cutBefore(this.scale.toValue(x));
		this.state.set({ cut: machine < 0 ? moved : cut.map((n, i) => (i === machine ? moved[i] : n)) });
	}

	/** The cut takes in the next event, or lets go of the last. @param {1 | -1} by */
	stepCut(by) {
		const { cut } = this.state.get();
		if (!cut) return;
		const { run, axis } = this;
		let best = -1;
		for (let i = 0; i < run.machines; i++) {
			const e = eventAt(run, i, by > 0 ? cut[i] : cut[i] - 1);
			if (e >= 0 && (best < 0 || (axis.values[e] - axis.values[best]) * by < 0)) best = e;
		}
		if (best >= 0) this.setCut(cut.map((n, i) => (i === run.machineOf[best] ? n + by : n)));
	}

	closeCut() {
		const { cut } = this.state.get();
		if (!cut) return;
		const closed = [...this.causal.close(cut)];
		this.setCut(cut.map((n, i) => closed[i] ?? n));
	}

	/** @param {string} query */
	search(query) {
		this.found?.stop();
		this.searchedFor = query;
		this.state.set({ search: query });
		let jumped = false;
		this.found = startSearch(this.run, query, (search) => {
			this.toolbar.setHits(search.hits.length, search.done, 0);
			this.dirty.scene = true;
			this.schedule();
			if (search.done && !jumped) {
				jumped = true;
				this.announce(`${formatPlural(search.hits.length, "event")} found.`);
			}
		});
		this.toolbar.setHits(0, this.found.done, 0);
		this.dirty.scene = true;
		this.schedule();
	}

	/** @param {1 | -1} step */
	stepHit(step) {
		const hits = this.found?.hits ?? [];
		const e = nextHit(this.run, this.axis.values, hits, this.focused, step, (machine) => this.rows.of[machine] !== undefined);
		if (e < 0) {
			this.announce(hits.length > 0 ? "What is found is on hidden machines." : "Nothing is found.");
			return;
		}
		this.goTo(e);
		this.toolbar.setHits(hits.length, this.found?.done ?? true, hits.indexOf(e) + 1);
		this.hover = { event: e, message: -1, span: null, record: null };
	}

	async copyLink() {
		const copied = await copyText(linkTo(this.state.get(), this.state.runs));
		this.announce(copied ? "The link is copied." : "The browser does not let this page copy; the address has the link.");
	}

	/** @param {"svg" | "png" | "tikz" | "chosen" | "view"} what */
	exportAs(what) {
		exportView(what, this.view());
	}

	/** @returns {import("./export.js").View} */
	view() {
		return {
			run: this.run, frame: this.frame, overlay: this.overlay(), where: this.where(), painter: this.painter, underMarks: (context) => this.underMarks(context), range: this.range, axis: this.axis,
			rows: this.rows, parent: this.element, announce: this.announce,
		};
	}
}

/**
 * Says to the browser's tools how long something took; the last ones are kept.
 *
 * @param {string} name @param {number} began
 */
function measureTime(name, began) {
	if (performance.getEntriesByName(name).length >= keptTimings) performance.clearMeasures(name);
	performance.measure(name, { start: began, end: performance.now() });
}

/** What the shapes and grounds mean. @param {boolean} pending whether there are messages that were not received */
function legendElement(pending) {
	const names = ["internal", "send", "receive"];
	return h("ul", { class: "diagram-legend", "aria-label": "Legend" },
		...names.map((name) => h("li", {}, h("span", { class: `mark ${name}`, "aria-hidden": "true" }), name)),
		pending && h("li", {}, h("span", { class: "mark stub", "aria-hidden": "true" }), "message not received"),
		h("li", { class: "cone" }, h("span", { class: "ground past", "aria-hidden": "true" }), "past"),
		h("li", { class: "cone" }, h("span", { class: "ground future", "aria-hidden": "true" }), "future"),
		h("li", { class: "between" }, h("span", { class: "ground between", "aria-hidden": "true" }), "after the one and before the other"),
		h("li", { class: "chain" }, h("span", { class: "ground chain", "aria-hidden": "true" }), "the chain"));
}
