
'use strict';
// Adds to the drawn page what needs a pointer: values of the curves, thumbnails of
// the map, and its ways to be coloured. All text goes in as text, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const tip = document.getElementById('tip');
  const [thumbnail, words] = tip.children;
  document.documentElement.classList.add('scripted');

  function line(tag, text, className) {
    const element = document.createElement(tag);
    element.textContent = text;
    element.className = className || '';
    return element;
  }

  function showTip(event, lines, withThumbnail) {
    words.replaceChildren(...lines);
    thumbnail.hidden = !withThumbnail;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const right = event.clientX + 18, below = event.clientY + 18;
    const x = right + width < innerWidth ? right : event.clientX - width - 18;
    const y = below + height < innerHeight ? below : event.clientY - height - 18;
    tip.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  }

  // A finger leaves when it lifts: what it touched stays until the next touch.
  function follow(element, show, hide) {
    element.addEventListener('pointermove', show);
    element.addEventListener('pointerdown', show);
    element.addEventListener('pointerleave', event => {
      if (event.pointerType !== 'touch') hide();
    });
    addEventListener('pointerdown', event => {
      if (!element.contains(event.target)) hide();
    }, {capture: true});
  }

  for (const plot of document.querySelectorAll('.plot')) {
    const { across, lines: curves } = data.charts[plot.dataset.chart];
    const cross = plot.querySelector('.cross');
    const dots = plot.querySelectorAll('.dot');

    follow(plot, event => {
      const box = plot.getBoundingClientRect();
      const at = (event.clientX - box.left) / box.width * 100;
      const closer = (a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a;
      const [left, , step] = curves.flatMap(curve => curve.points).reduce(closer);
      const values = curves.map(({ name, points }, i) => {
        // Curves need not have the same steps; what lies elsewhere is not shown.
        const point = points.find(([x]) => Math.abs(x - left) < 0.3);
        dots[i].hidden = !point;
        if (!point) return null;
        dots[i].style.left = `${point[0]}%`;
        dots[i].style.top = `${point[1]}%`;
        return line('span', `${name} ${point[3]}`, 'key');
      });
      cross.hidden = false;
      cross.style.left = `${left}%`;
      const lines = [line('small', `${across} ${step}`), ...values.filter(Boolean)];
      showTip(event, lines, false);
    }, () => {
      tip.hidden = cross.hidden = true;
      dots.forEach(dot => { dot.hidden = true; });
    });
  }

  if (!data.map) return;
  const { names, labels, classes, side, tile, columns } = data.map;
  const field = document.getElementById('field');
  const ring = document.getElementById('ring');
  const pictures = document.getElementById('pictures');
  const sheet = document.getElementById('sheet');
  const circles = [...field.querySelectorAll('circle:not(#ring)')];
  const places = circles.map(c => [c.cx.baseVal.value, c.cy.baseVal.value]);
  const view = field.querySelector('svg').viewBox.baseVal;
  let pinned = null;

  function drawTile(context, i, x, y, size) {
    context.drawImage(
      sheet, i % columns * tile, Math.floor(i / columns) * tile, side, side,
      x, y, size, size);
  }

  function focus(label) {
    field.classList.toggle('focus', label !== null);
    if (label !== null) {
      circles.forEach((c, i) => c.classList.toggle('same', labels[i] === label));
    }
  }

  function leave() {
    ring.setAttribute('cx', -9);
    focus(pinned);
    tip.hidden = true;
  }

  follow(field, event => {
    const box = field.getBoundingClientRect();
    const scale = view.width / box.width;  // Of the SVG's units to pixels.
    const x = (event.clientX - box.left) * scale + view.x;
    const y = (event.clientY - box.top) * scale + view.y;
    let nearest = -1, best = (30 * scale) ** 2;  // Within 30 pixels.
    places.forEach(([a, b], i) => {
      const distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < best) [nearest, best] = [i, distance];
    });
    if (nearest < 0) return leave();
    ring.setAttribute('cx', places[nearest][0]);
    ring.setAttribute('cy', places[nearest][1]);
    const context = thumbnail.getContext('2d');
    context.imageSmoothingEnabled = side > 48;
    drawTile(context, nearest, 0, 0, thumbnail.width);
    const lines = [line('small', names[nearest])];
    if (labels) {
      lines.unshift(line('b', classes[labels[nearest]]));
      if (pinned === null) focus(labels[nearest]);
    }
    showTip(event, lines, true);
  }, leave);

  // Pictures lie where their points lie; one that would cover another is left out.
  function drawPictures() {
    const ratio = devicePixelRatio, scale = field.clientWidth / view.width;
    const size = Math.max(20, field.clientWidth / 28);
    pictures.width = field.clientWidth * ratio;
    pictures.height = field.clientHeight * ratio;
    const context = pictures.getContext('2d');
    context.scale(ratio, ratio);
    const drawn = [];
    places.forEach(([a, b], i) => {
      const x = (a - view.x) * scale - size / 2;
      const y = (b - view.y) * scale - size / 2;
      const free = drawn.every(
        ([u, v]) => Math.abs(u - x) > size || Math.abs(v - y) > size);
      if (!free) return;
      drawn.push([x, y]);
      drawTile(context, i, x, y, size);
      if (labels && field.classList.contains('colored')) {
        context.lineWidth = 2;
        context.strokeStyle = circles[i].getAttribute('fill');
        context.strokeRect(x, y, size, size);
      }
    });
  }

  function redraw() {
    const chosen = name =>
      document.querySelector(`input[name=${name}]:checked`)?.value;
    field.classList.toggle('colored', chosen('color') === 'class');
    const on = chosen('show') === 'pictures';
    field.classList.toggle('show-pictures', on);
    pictures.hidden = !on;
    if (on) drawPictures();
  }
  document.querySelectorAll('.controls input').forEach(
    input => input.addEventListener('change', redraw));
  sheet.decode().then(redraw);  // A browser may keep the choices over a reload.
  new ResizeObserver(redraw).observe(field);

  const buttons = document.querySelectorAll('.classes button');
  buttons.forEach(button => button.addEventListener('click', () => {
    const label = Number(button.dataset.class);
    pinned = pinned === label ? null : label;
    buttons.forEach(b => b.setAttribute(
      'aria-pressed', String(Number(b.dataset.class) === pinned)));
    focus(pinned);
  }));
})();
