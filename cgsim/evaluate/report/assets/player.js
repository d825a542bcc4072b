// The 3-D player: two 3Dmol.js viewers that show the same moment of two trajectories.
(function () {
  "use strict";

  const root = document.documentElement;
  const player = document.getElementById("player");
  if (!player) return;

  const molecules = JSON.parse(document.getElementById("player-data").textContent);
  const slider = player.querySelector("[data-slider]");
  const button = player.querySelector("[data-play]");
  const clock = player.querySelector("[data-clock]");
  const menu = player.querySelector("[data-molecules]");
  const speed = player.querySelector("[data-speed]");
  const panels = ["reference", "learned"];
  const CAMERA = 150; // distance of the 3Dmol camera from the origin
  const HALF_FIELD_OF_VIEW = (10 * Math.PI) / 180;

  let viewers = [];
  let models = [];
  let frame = 0;
  let molecule = null;
  let timer = null;

  function decode(text, nBeads, scale) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const frames = [];
    const nFrames = bytes.length / (6 * nBeads);
    for (let f = 0, at = 0; f < nFrames; f++) {
      const xyz = new Float32Array(3 * nBeads);
      for (let k = 0; k < xyz.length; k++, at += 2) xyz[k] = view.getInt16(at, true) * scale;
      frames.push(xyz);
    }
    return frames;
  }

  // Blue through teal and gold to red: one end of the chain to the other.
  const STOPS = [[58, 76, 168], [38, 145, 175], [104, 182, 132], [240, 190, 84], [222, 84, 60]];
  function colour(fraction) {
    const at = fraction * (STOPS.length - 1);
    const k = Math.min(Math.floor(at), STOPS.length - 2);
    const rgb = STOPS[k].map((low, c) => Math.round(low + (at - k) * (STOPS[k + 1][c] - low)));
    return (rgb[0] << 16) | (rgb[1] << 8) | rgb[2];
  }

  function atomsOf(mol, xyz) {
    const atoms = [];
    for (let i = 0; i < mol.nBeads; i++) {
      atoms.push({
        elem: "C", atom: "B", serial: i, index: i, resi: 1, chain: "A",
        bonds: [], bondOrder: [],
        x: xyz[3 * i], y: xyz[3 * i + 1], z: xyz[3 * i + 2],
        color: colour(mol.nBeads > 1 ? i / (mol.nBeads - 1) : 0),
      });
    }
    for (const [i, j] of mol.bonds) {
      atoms[i].bonds.push(j); atoms[i].bondOrder.push(1);
      atoms[j].bonds.push(i); atoms[j].bondOrder.push(1);
    }
    return atoms;
  }

  function show(index) {
    frame = Math.max(0, Math.min(index, molecule.times.length - 1));
    panels.forEach((panel, p) => {
      const xyz = molecule.frames[panel][frame];
      const atoms = models[p].selectedAtoms({});
      atoms.forEach((atom, i) => {
        atom.x = xyz[3 * i]; atom.y = xyz[3 * i + 1]; atom.z = xyz[3 * i + 2];
      });
      models[p].setStyle({}, molecule.style);
      viewers[p].render();
    });
    slider.value = frame;
    clock.textContent = molecule.times[frame].toLocaleString("en", { maximumSignificantDigits: 4 }) + " ps";
  }

  function choose(index) {
    molecule = molecules[index];
    if (!molecule.frames) {
      molecule.frames = {};
      for (const panel of panels) {
        molecule.frames[panel] = decode(molecule[panel], molecule.nBeads, molecule.scale);
      }
      molecule.style = {
        sphere: { radius: 0.3 * molecule.bond },
        stick: { radius: 0.13 * molecule.bond },
      };
    }
    viewers.forEach((viewer, p) => {
      viewer.removeAllModels();
      models[p] = viewer.addModel();
      models[p].addAtoms(atomsOf(molecule, molecule.frames[panels[p]][0]));
      models[p].setStyle({}, molecule.style);
      viewer.zoomTo();
    });
    slider.max = molecule.times.length - 1;
    resetCamera();
    show(0);
  }

  function resetCamera() {
    const radius = 18 + 0.3 * molecule.bond;
    for (const viewer of viewers) {
      const canvas = viewer.getCanvas();
      const narrow = Math.min(1, canvas.clientWidth / Math.max(1, canvas.clientHeight));
      const zoom = CAMERA - radius / Math.tan(HALF_FIELD_OF_VIEW) / narrow;
      viewer.setSlab(-8 * radius, 8 * radius);
      viewer.setView([0, 0, 0, zoom, 0, 0, 0, 1], true);
      viewer.render();
    }
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    button.textContent = "▶ Play";
    button.setAttribute("aria-pressed", "false");
  }

  function tick() {
    show(frame + 1 < molecule.times.length ? frame + 1 : 0);
    timer = setTimeout(tick, Number(speed.value));
  }

  function start() {
    button.textContent = "❚❚ Pause";
    button.setAttribute("aria-pressed", "true");
    timer = setTimeout(tick, Number(speed.value));
  }

  function createViewers() {
    viewers = panels.map((panel) =>
      $3Dmol.createViewer(player.querySelector(`[data-view=${panel}]`), {
        backgroundColor: "#f8fafc", antialias: true, disableFog: false,
      }));
    for (const viewer of viewers) {
      viewer.setViewStyle({ style: "outline", color: "#1e293b", width: 0.06 });
    }
    viewers[0].linkViewer(viewers[1]);
    viewers[1].linkViewer(viewers[0]);
  }

  try {
    createViewers();
    molecules.forEach((mol, i) => menu.add(new Option(mol.name, i)));
    menu.closest("label").hidden = molecules.length < 2;
    choose(0);
  } catch (error) {
    player.dataset.player = "unavailable";
    player.querySelector("[data-fallback]").hidden = false;
    console.warn(error);
    return;
  }

  button.addEventListener("click", () => (timer === null ? start() : stop()));
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  menu.addEventListener("change", () => choose(Number(menu.value)));
  player.querySelector("[data-reset]").addEventListener("click", resetCamera);
  window.addEventListener("resize", () => {
    for (const viewer of viewers) viewer.resize();
    resetCamera();
  });

  show(Math.floor(molecule.times.length / 2));
  show(0);
  player.dataset.player = "ready";
  root.dataset.ready = "true";
})();
