import { h } from "../dom.js";
import { formatCount, formatPlural } from "../format.js";
import { linkTo, maxRowHeight } from "../fragment.js";
import { copyText } from "../head.js";
import { eventAt, RECEIVE, SEND } from "../run.js";
import { initialState } from "../state.js";
import { countsOf, cutSentence, deed, eventSentence, formatInstant, messageName, placeOfEvent, relationWords } from "./describe.js";
import { exportView } from "./export.js";
import { listen } from "./gestures.js";
import { nearestEvent } from "./hit.js";
import { commandOf, diagramKeys } from "./keys.js";
import { legendElement } from "./legend.js";
import { moveEvent } from "./move.js";
import { panelContent } from "./panel.js";
import { Picture } from "./picture.js";
import { rowAt } from "./rows.js";
import { firstAbove, firstAtLeast } from "./scale.js";
import { CONCURRENT, stateOf } from "./scene.js";
import { nextHit, startSearch } from "./search.js";
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

/** What the reader does with the picture. */
class Diagram extends Picture {
	/** @param {HTMLElement} container @param {RunData} run @param {number} runIndex @param {State} state @param {DiagramOptions} options */
	constructor(container, run, runIndex, state, { announce, marks = [] }) {
		super(run, runIndex, state, marks);
		this.announce = announce;
		this.searchedFor = "";
		this.toolbar = createToolbar(run, this.name, state.get, this.toolActions());
		this.legend = legendElement(run.messages.receive.some((e, m) => e < 0 && run.messages.to[m] >= 0));
		this.panel = h("div", { class: "diagram-panel" });
		this.element.prepend(this.toolbar.element);
		this.element.append(this.legend, this.panel);
		this.attach(container);

		this.unlisten = listen(this.plot, this.gestures());
		this.plot.addEventListener("keydown", (event) => this.key(event));
		this.plot.addEventListener("focus", () => this.schedule());
		this.plot.addEventListener("blur", () => this.schedule());
		this.plot.addEventListener("dblclick", (event) => this.zoomTo(event));
		this.unsubscribe = state.subscribe((changed) => this.changed(changed));
		if (state.get().search !== "") this.search(state.get().search);
		this.toolbar.update(state.get());
		this.render();
	}

	destroy() {
		this.unlisten();
		this.unsubscribe();
		this.found?.stop();
		super.destroy();
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
				this.band = done ? null : /** @type {[number, number]} */ ([Math.min(from, to), Math.max(from, to)]);
				if (done) this.setRange(this.scale.toValue(Math.min(from, to)), this.scale.toValue(Math.max(from, to)));
				this.schedule();
			},
			click: (x, y, event) => this.click(x, y, event),
			hover: (x, y, event) => this.point(x, y, event),
		};
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
		this.reach = /** @type {[number, number]} */ ([scale.toPixel(earliest), scale.left + scale.width]);
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
		exportView(what, this.view(), this.announce);
	}
}
