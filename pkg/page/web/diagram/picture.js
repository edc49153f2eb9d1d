import { createCausal } from "../causal.js";
import { h } from "../dom.js";
import { formatPlural } from "../format.js";
import { eventAt, logLine } from "../run.js";
import { Card } from "./card.js";
import { eventSentence, formatInstant, messageName, notReceived, relationOf, relationWords } from "./describe.js";
import { Painter, sizeCanvas } from "./draw.js";
import { svgNode } from "./export.js";
import { frameOf } from "./frame.js";
import { hitTest } from "./hit.js";
import { Minimap } from "./minimap.js";
import { drawChain, drawHits, drawOverlay } from "./overlay.js";
import { layoutRows } from "./rows.js";
import { createScale } from "./scale.js";
import { buildScene, createScene } from "./scene.js";
import { shadingOf } from "./shade.js";
import { readPalette } from "./theme.js";
import { Viewport } from "./viewport.js";

/**
 * The diagram as it is seen: from the run and the state of the page to canvases. What the reader does is in diagram.js.
 *
 * @typedef {import("../run.js").RunData} RunData
 * @typedef {import("../state.js").State} State
 * @typedef {import("../state.js").PageState} PageState
 */

const axisHeight = 26;
const topMargin = 6;
const inset = 12; // of the ends of the axis from those of the plot
const morphTime = 900; // ms
const keptTimings = 1000; // of each name, for the browser's tools

export class Picture extends Viewport {
	/** @param {RunData} run @param {number} runIndex @param {State} state @param {{machine: number, position: number, text: string}[]} marks */
	constructor(run, runIndex, state, marks) {
		super(run, state);
		this.runIndex = runIndex;
		this.causal = createCausal(run);
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
		this.describedFocus = -1;
		this.lastAxis = "";
		/** @type {[number, number] | null} */
		this.band = null;
		/** @type {[number, number] | null} */
		this.reach = null;
		/** @type {{scale: import("./scale.js").Scale, values: Float64Array, began: number} | null} */
		this.morph = null;
		this.pending = 0;
		this.dirty = { scene: true, panel: true, size: true };

		this.base = h("canvas", { "aria-hidden": "true" });
		this.over = h("canvas", { "aria-hidden": "true", class: "over" });
		/** What this one is called, beside others. */
		this.name = state.runs.length > 1 ? `run ${runIndex + 1}, ${run.head.name}` : run.head.name || "the run";
		this.paper = h("div", { class: "paper", "aria-hidden": "true" });
		this.here = h("div", { id: `diagram-${runIndex}-here`, role: "img", class: "here", "aria-label": "No event yet: press the right arrow" });
		this.plot = h("div", {
			class: "diagram-plot", role: "application", tabIndex: 0, "aria-roledescription": "space-time diagram", "aria-activedescendant": this.here.id,
			"aria-label": `Space-time diagram of ${this.name}: ${formatPlural(run.machines, "machine")}, ${formatPlural(run.total, "event")}. Arrow keys step from event to event, Enter chooses one.`,
		}, this.base, this.over, this.paper, this.here);
		this.card = new Card(this.plot);
		this.minimap = new Minimap(run, (centre) => this.centre(centre));
		this.element = h("div", { class: "diagram" }, this.plot, this.minimap.element);
		this.palette = readPalette(this.element);
		this.layout = this.measure();

		this.observer = new ResizeObserver(() => this.resized());
		this.onTheme = () => {
			this.palette = readPalette(this.element);
			this.dirty.size = true;
			this.render();
			this.paper.replaceChildren(...(document.documentElement.hasAttribute("data-print") ? [svgNode(this.view())] : []));
		};
		this.onResize = () => this.resized();
	}

	/** Begins to draw, in a container, and to follow its size and colours. @param {HTMLElement} container */
	attach(container) {
		container.append(this.element);
		this.observer.observe(this.plot);
		document.addEventListener("themechange", this.onTheme);
		addEventListener("resize", this.onResize);
		this.palette = readPalette(this.element);
		this.layout = this.measure();
		this.refresh();
	}

	destroy() {
		this.observer.disconnect();
		document.removeEventListener("themechange", this.onTheme);
		removeEventListener("resize", this.onResize);
		cancelAnimationFrame(this.pending);
		this.stopGliding();
		this.element.remove();
	}

	/** Says below the picture what was chosen. */
	drawPanel() {
		this.dirty.panel = false;
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
			this.card.showText(messageName(run, hover.message), receive >= 0 ? logLine(run, receive) : `Receive: ${notReceived(run)}`, this.pointerX, this.pointerY, layout);
		} else if (hover.record) {
			this.card.showText(`${hover.record.kind}, at ${formatInstant(hover.record.t)}`, hover.record.text, this.pointerX, this.pointerY, layout);
		} else if (hover.span) {
			const { kind, from, to, text } = hover.span;
			this.card.showText(`${kind}, ${formatInstant(from)} to ${formatInstant(to)}`, text, this.pointerX, this.pointerY, layout);
		} else {
			this.card.hide();
		}
	}

	/** @param {number} x @param {number} y @param {PointerEvent} [event] */
	hit(x, y, event) {
		const reach = event?.pointerType === "touch" ? 20 : 9;
		return hitTest(this.frame, this.axis, this.scale, this.rows, this.movedNow, x, y - this.layout.top, reach);
	}

	/** @returns {import("./export.js").View} */
	view() {
		return {
			run: this.run, frame: this.frame, overlay: this.overlay(), where: this.where(), painter: this.painter, underMarks: (context) => this.underMarks(context), range: this.range, axis: this.axis,
			rows: this.rows, parent: this.element,
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
