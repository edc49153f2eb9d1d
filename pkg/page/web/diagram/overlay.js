import { addHead, addMark } from "./draw.js";
import { firstHit } from "./search.js";
import { coloursOf, faded } from "./theme.js";

/**
 * What lies over the scene and changes with the pointer: the chosen events and the chain between them, what the pointer
 * and the keyboard are at, the cut, what was searched, and the time that all charts share.
 *
 * @typedef {object} Overlay
 * @property {number[]} chosen events, A and B
 * @property {number} focus event; −1: none
 * @property {number} hover event; −1: none
 * @property {number} message chosen; −1: none
 * @property {number} hoverMessage −1: none
 * @property {Chain | null} chain
 * @property {{cut: ArrayLike<number>, consistent: boolean, flying: number[], backward: number[]} | null} cut
 * @property {{event: number, text: string}[]} flags
 * @property {number | null} cursor pixel
 * @property {[number, number] | null} band pixels of a stretch that is being chosen
 * @property {[number, number] | null} reach pixels within which the event that is being moved may be
 * @property {boolean} keyboard whether the focus is to be seen
 *
 * @typedef {{start: number, messages: ArrayLike<number>, end: number}} Chain from an event by messages to an event
 *
 * @typedef {object} Where
 * @property {(e: number) => number} x pixel of an event
 * @property {(machine: number) => number | undefined} y of a machine; undefined: hidden
 * @property {(machine: number, count: number) => number} cutX pixel of a cut behind so many events
 */

/**
 * @param {CanvasRenderingContext2D} context @param {import("./draw.js").Frame} frame @param {Overlay} overlay @param {Where} where @param {number} ratio
 */
export function drawOverlay(context, frame, overlay, where, ratio) {
	const { layout, palette } = frame;
	context.setTransform(1, 0, 0, 1, 0, 0);
	context.clearRect(0, 0, context.canvas.width, context.canvas.height);
	context.setTransform(ratio, 0, 0, ratio, 0, 0);
	context.save();
	context.beginPath();
	context.rect(layout.left, layout.top, layout.plotWidth, layout.plotHeight);
	context.clip();
	context.translate(0, layout.top);
	if (overlay.cursor !== null) {
		context.fillStyle = faded(palette.muted, 0.5);
		context.fillRect(Math.round(overlay.cursor), 0, 1, layout.plotHeight);
	}
	for (const range of [overlay.band, overlay.reach]) {
		if (!range) continue;
		context.fillStyle = faded(palette.accent, 0.14);
		context.fillRect(range[0], 0, range[1] - range[0], layout.plotHeight);
	}
	if (overlay.cut) drawCut(context, frame, overlay.cut, where);
	for (const m of [overlay.hoverMessage, overlay.message]) if (m >= 0) drawMessage(context, frame, m, where, m === overlay.message);
	for (const { event } of overlay.flags) drawFlag(context, frame, event, where);
	if (overlay.hover >= 0) ring(context, frame, overlay.hover, where, palette.muted, 1.5, 3);
	overlay.chosen.forEach((e, k) => {
		ring(context, frame, e, where, palette.selection, 2.5, 4);
		if (overlay.chosen.length > 1) letter(context, frame, e, where, k === 0 ? "A" : "B");
	});
	if (overlay.focus >= 0 && overlay.keyboard) {
		ring(context, frame, overlay.focus, where, palette.surface, 5, 8);
		ring(context, frame, overlay.focus, where, palette.accent, 2.5, 8);
	}
	context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {import("./draw.js").Frame} frame @param {number} e @param {Where} where @param {string} colour @param {number} thick @param {number} away */
function ring(context, { run, scene, palette }, e, where, colour, thick, away) {
	const y = where.y(run.machineOf[e]);
	if (y === undefined) return;
	const x = where.x(e);
	if (scene.marks.count === 0) {
		// Where events have no marks of their own, this one gets one.
		const path = new Path2D();
		addMark(path, run.kind[e], x, y, 4);
		context.fillStyle = coloursOf(palette, run, run.machineOf[e]).send;
		context.fill(path);
	}
	context.strokeStyle = colour;
	context.lineWidth = thick;
	context.beginPath();
	context.arc(x, y, Math.max(scene.radius, 4) + away, 0, 2 * Math.PI);
	context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {import("./draw.js").Frame} frame @param {number} e @param {Where} where @param {string} text */
function letter(context, { run, palette, scene }, e, where, text) {
	const y = where.y(run.machineOf[e]);
	if (y === undefined) return;
	const up = y > 28 ? -1 : 1;
	context.font = `700 12px ${palette.sans}`;
	context.textAlign = "center";
	context.textBaseline = "middle";
	const at = y + up * (Math.max(scene.radius, 4) + 14);
	context.fillStyle = palette.selection;
	context.beginPath();
	context.arc(where.x(e), at, 9, 0, 2 * Math.PI);
	context.fill();
	context.fillStyle = palette.surface;
	context.fillText(text, where.x(e), at + 0.5);
}

/** @param {CanvasRenderingContext2D} context @param {import("./draw.js").Frame} frame @param {number} e @param {Where} where */
function drawFlag(context, { run, palette, layout }, e, where) {
	const y = where.y(run.machineOf[e]);
	if (y === undefined) return;
	const x = where.x(e);
	context.strokeStyle = context.fillStyle = palette.bad;
	context.lineWidth = 1.5;
	context.setLineDash([4, 3]);
	context.beginPath();
	context.moveTo(x, 0);
	context.lineTo(x, layout.plotHeight);
	context.stroke();
	context.setLineDash([]);
	context.beginPath();
	context.moveTo(x, 0);
	context.lineTo(x + 11, 5);
	context.lineTo(x, 10);
	context.fill();
	context.beginPath();
	context.arc(x, y, 9, 0, 2 * Math.PI);
	context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {import("./draw.js").Frame} frame @param {number} m @param {Where} where @param {boolean} chosen */
function drawMessage(context, { run, palette, scene }, m, where, chosen) {
	const send = run.messages.send[m];
	const receive = run.messages.receive[m];
	const y = where.y(run.machineOf[send]);
	const endY = receive >= 0 ? where.y(run.machineOf[receive]) : undefined;
	if (y === undefined || endY === undefined) return;
	const x = where.x(send);
	const endX = where.x(receive);
	const length = Math.hypot(endX - x, endY - y) || 1;
	const stop = Math.min(0.4, (scene.radius + 1) / length);
	const [startX, startY] = [x + (endX - x) * stop, y + (endY - y) * stop];
	const [tipX, tipY] = [endX - (endX - x) * stop, endY - (endY - y) * stop];
	for (const [colour, width] of /** @type {[string, number][]} */ ([[faded(palette.surface, 0.7), chosen ? 5 : 4], [chosen ? palette.selection : palette.muted, chosen ? 2.5 : 2]])) {
		context.strokeStyle = context.fillStyle = colour;
		context.lineWidth = width;
		context.beginPath();
		context.moveTo(startX, startY);
		context.lineTo(tipX, tipY);
		context.stroke();
	}
	const head = new Path2D();
	addHead(head, x, y, tipX, tipY, 10);
	context.fill(head);
}

/**
 * A chain, along the lines of machines and along messages. Of what is finer than a pixel, nothing is drawn twice.
 *
 * @param {CanvasRenderingContext2D} context @param {import("./draw.js").Frame} frame
 * @param {Chain} chain @param {Where} where
 */
export function drawChain(context, { run, palette, layout }, { start, messages, end }, where) {
	const { send, receive } = run.messages;
	// A chain ascends, so what is in sight is one stretch of it.
	const low = firstHit(messages, 0, messages.length, (m) => where.x(receive[m]) >= layout.left - 50);
	const path = new Path2D();
	const heads = new Path2D();
	let x = 0;
	/** @type {number | undefined} */
	let y;
	/** @param {number} e */
	const lineTo = (e) => {
		const [lastX, lastY] = [x, y];
		x = where.x(e);
		y = where.y(run.machineOf[e]);
		if (y === undefined) return;
		if (lastY === undefined) path.moveTo(x, y);
		else path.lineTo(x, y);
		if (lastY !== undefined && lastY !== y && Math.hypot(x - lastX, y - lastY) > 24) addHead(heads, lastX, lastY, (x + lastX) / 2, (y + lastY) / 2, 9);
	};
	lineTo(low > 0 ? receive[messages[low - 1]] : start);
	let drawn = 0;
	let k = low;
	while (k < messages.length && x <= layout.left + layout.plotWidth + 50) {
		lineTo(send[messages[k]]);
		lineTo(receive[messages[k]]);
		drawn++;
		k = firstHit(messages, k + 1, messages.length, (m) => where.x(receive[m]) >= x + 0.75);
	}
	if (k >= messages.length) lineTo(end);
	context.lineJoin = "round";
	context.lineCap = "round";
	context.strokeStyle = context.fillStyle = palette.selection;
	context.lineWidth = 2.5;
	context.stroke(path);
	if (drawn < 300) context.fill(heads);
	context.lineCap = "butt";
}

/** @param {CanvasRenderingContext2D} context @param {import("./draw.js").Frame} frame @param {NonNullable<Overlay["cut"]>} cut @param {Where} where */
function drawCut(context, frame, { cut, consistent, flying, backward }, where) {
	const { palette, scene, scroll, run, layout } = frame;
	const colour = consistent ? palette.good : palette.bad;
	for (const [list, stroke] of /** @type {[number[], string][]} */ ([[flying, palette.good], [backward, palette.bad]])) {
		const path = new Path2D();
		for (const m of list) {
			const send = run.messages.send[m];
			const receive = run.messages.receive[m];
			const y = where.y(run.machineOf[send]);
			const endY = receive >= 0 ? where.y(run.machineOf[receive]) : undefined;
			if (y === undefined || endY === undefined) continue;
			path.moveTo(where.x(send), y);
			path.lineTo(where.x(receive), endY);
			addHead(path, where.x(send), y, where.x(receive), endY, 9);
		}
		context.strokeStyle = faded(stroke, list.length > 100 ? 0.35 : 0.85);
		context.lineWidth = 2;
		if (list === backward) context.setLineDash([6, 3]);
		context.fillStyle = context.strokeStyle;
		context.stroke(path);
		context.fill(path);
		context.setLineDash([]);
	}
	context.strokeStyle = context.fillStyle = colour;
	context.lineWidth = 2;
	context.lineJoin = "round";
	context.setLineDash(consistent ? [] : [7, 4]);
	context.beginPath();
	let begun = false;
	for (const row of scene.rows) {
		const x = where.cutX(row.machine, cut[row.machine]);
		const top = row.top - scroll;
		if (!begun) context.moveTo(x, Math.min(top, 0));
		context.lineTo(x, top + row.height * 0.25);
		context.lineTo(x, top + row.height * 0.75);
		begun = true;
	}
	const last = scene.rows[scene.rows.length - 1];
	if (last) context.lineTo(where.cutX(last.machine, cut[last.machine]), layout.plotHeight);
	context.stroke();
	context.setLineDash([]);
	for (const row of scene.rows) {
		if (row.height < 12) continue;
		context.beginPath();
		context.arc(where.cutX(row.machine, cut[row.machine]), row.y - scroll, 4.5, 0, 2 * Math.PI);
		context.fillStyle = palette.surface;
		context.fill();
		context.stroke();
	}
	const first = scene.rows[0];
	if (!first) return;
	const x = where.cutX(first.machine, cut[first.machine]);
	context.fillStyle = colour;
	context.beginPath();
	context.moveTo(x - 8, 0);
	context.lineTo(x + 8, 0);
	context.lineTo(x, 11);
	context.fill();
}

/**
 * A stroke under each event that was found; of many that lie close, one.
 *
 * @param {CanvasRenderingContext2D} context @param {import("./draw.js").Frame} frame @param {number[]} hits in ascending order @param {Where} where
 */
export function drawHits(context, { run, palette, layout, scene }, hits, where) {
	if (hits.length === 0) return;
	const [left, right] = [layout.left - 10, layout.left + layout.plotWidth + 10];
	context.strokeStyle = palette.warn;
	context.lineWidth = 2;
	context.beginPath();
	for (const { machine } of scene.rows) {
		const y = /** @type {number} */ (where.y(machine));
		const end = firstHit(hits, 0, hits.length, (e) => e >= run.offset[machine + 1]);
		let k = firstHit(hits, 0, end, (e) => e >= run.offset[machine] && where.x(e) >= left);
		while (k < end) {
			const x = where.x(hits[k]);
			if (x > right) break;
			const r = scene.radius + 3;
			context.moveTo(x - r, y + r + 2);
			context.lineTo(x + r, y + r + 2);
			// Strokes are this wide, so what lies between is covered.
			k = firstHit(hits, k + 1, end, (e) => where.x(e) >= x + r);
		}
	}
	context.stroke();
}
