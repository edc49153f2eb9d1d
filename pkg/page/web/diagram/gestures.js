/**
 * From pointers and wheels to what they mean. What it means for the picture is decided by whoever listens.
 *
 * @typedef {object} Gestures
 * @property {(x: number, y: number, event: PointerEvent) => Grip | null} grip what a press at a point takes hold of; null: it pans
 * @property {(dx: number, dy: number) => void} pan pixels
 * @property {(x: number, factor: number) => void} zoom about a pixel; above 1: nearer
 * @property {(x: number, dy: number) => boolean} scroll the lines; false: they are not to be scrolled at this place
 * @property {(x: number) => boolean} canZoomOut
 * @property {(from: number, to: number, done: boolean) => void} band a stretch that is being chosen, in pixels
 * @property {(x: number, y: number, event: PointerEvent) => void} click
 * @property {(x: number, y: number, event: PointerEvent | null) => void} hover null: the pointer is gone
 *
 * @typedef {object} Grip
 * @property {(x: number, y: number) => void} drag
 * @property {() => void} [drop]
 */

const clickSlack = 5; // pixels that a click may move
const ownWheel = 350; // ms for which a wheel that scrolls the page goes on to do so

/**
 * @param {HTMLElement} element @param {Gestures} on
 * @returns {() => void} ends it
 */
export function listen(element, on) {
	/** @type {Map<number, {x: number, y: number}>} */
	const pointers = new Map();
	/** @type {{x: number, y: number, moved: boolean, grip: Grip | null, band: boolean} | null} */
	let press = null;
	let spread = 0;
	const at = (/** @type {MouseEvent} */ event) => {
		const box = element.getBoundingClientRect();
		return { x: event.clientX - box.left, y: event.clientY - box.top };
	};
	const pinch = () => {
		const [a, b] = [...pointers.values()];
		return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.max(Math.abs(a.x - b.x), 20) };
	};

	/** @param {PointerEvent} event */
	const down = (event) => {
		if (event.button !== 0) return;
		const point = at(event);
		pointers.set(event.pointerId, point);
		element.setPointerCapture(event.pointerId);
		if (pointers.size === 2) {
			press?.grip?.drop?.();
			press = null;
			spread = pinch().spread;
			return;
		}
		press = { ...point, moved: false, grip: on.grip(point.x, point.y, event), band: event.shiftKey };
	};
	/** @param {PointerEvent} event */
	const move = (event) => {
		const point = at(event);
		const before = pointers.get(event.pointerId);
		if (!before) {
			on.hover(point.x, point.y, event);
			return;
		}
		if (pointers.size === 2) {
			const old = pinch();
			pointers.set(event.pointerId, point);
			const now = pinch();
			on.pan(now.x - old.x, 0);
			on.zoom(now.x, now.spread / spread);
			spread = now.spread;
			return;
		}
		if (!press) return;
		if (!press.moved && Math.hypot(point.x - press.x, point.y - press.y) < clickSlack) return;
		press.moved = true;
		if (press.grip) press.grip.drag(point.x, point.y);
		else if (press.band) on.band(press.x, point.x, false);
		else on.pan(point.x - before.x, point.y - before.y);
		pointers.set(event.pointerId, point);
	};
	/** @param {PointerEvent} event */
	const up = (event) => {
		const point = at(event);
		pointers.delete(event.pointerId);
		if (!press) return;
		const done = press;
		press = null;
		if (!done.moved) {
			done.grip?.drop?.();
			if (event.type === "pointerup") on.click(point.x, point.y, event);
		} else if (done.grip) {
			done.grip.drop?.();
		} else if (done.band) {
			on.band(done.x, point.x, true);
		}
	};

	// A reader who scrolls the page past the diagram keeps scrolling.
	let scrolledAt = -Infinity;
	/** @param {WheelEvent} event */
	const elsewhere = (event) => {
		if (!element.contains(/** @type {Node} */ (event.target))) scrolledAt = event.timeStamp;
	};
	/** @param {WheelEvent} event */
	const wheel = (event) => {
		const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
		const { x } = at(event);
		const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
		if (!event.ctrlKey && event.timeStamp - scrolledAt < ownWheel) {
			scrolledAt = event.timeStamp;
			return;
		}
		if (!event.ctrlKey && (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) {
			on.pan(-sideways * unit, 0);
			event.preventDefault();
			return;
		}
		const delta = event.deltaY * unit;
		if (!event.ctrlKey && on.scroll(x, delta)) {
			event.preventDefault();
			return;
		}
		if (delta > 0 && !event.ctrlKey && !on.canZoomOut(x)) {
			scrolledAt = event.timeStamp;
			return;
		}
		on.zoom(x, Math.exp(-Math.max(-240, Math.min(240, delta)) * (event.ctrlKey ? 0.01 : 0.0025)));
		event.preventDefault();
	};
	const leave = (/** @type {PointerEvent} */ event) => {
		if (pointers.size === 0) on.hover(-1, -1, event.pointerType === "touch" ? event : null);
	};

	element.addEventListener("pointerdown", down);
	element.addEventListener("pointermove", move);
	element.addEventListener("pointerup", up);
	element.addEventListener("pointercancel", up);
	element.addEventListener("pointerleave", leave);
	element.addEventListener("wheel", wheel, { passive: false });
	addEventListener("wheel", elsewhere, { passive: true, capture: true });
	return () => removeEventListener("wheel", elsewhere, { capture: true });
}
