'use strict';
(function () {
  const check = document.getElementById('check');
  const progress = document.getElementById('progress');
  const status = document.getElementById('status');
  const again = document.getElementById('again');
  const { token, header, repeatable } = check.dataset;
  const difficulty = Number(check.dataset.difficulty);
  check.hidden = false;
  again.addEventListener('click', () => location.reload());

  function fail(text) {
    status.textContent = text;
    progress.hidden = true;
    again.hidden = false;
  }

  // SHA-256 (FIPS 180-4). Browsers offer their own only to sites with TLS.
  const K = new Uint32Array(64);
  const H = new Uint32Array(8);
  (function () {
    const fraction = (x) => ((x - Math.floor(x)) * 4294967296) >>> 0;
    let found = 0;
    for (let n = 2; found < 64; n++) {
      let prime = true;
      for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
      if (!prime) continue;
      if (found < 8) H[found] = fraction(Math.sqrt(n));
      K[found++] = fraction(Math.cbrt(n));
    }
  })();
  const w = new Uint32Array(64);

  function compress(state, block, offset) {
    for (let i = 0; i < 16; i++) {
      const at = offset + i * 4;
      w[i] = (block[at] << 24) | (block[at + 1] << 16) | (block[at + 2] << 8) | block[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let a = state[0], b = state[1], c = state[2], d = state[3];
    let e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }

  function sha256(bytes) {
    const padded = new Uint8Array((((bytes.length + 8) >> 6) + 1) << 6);
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    new DataView(padded.buffer).setUint32(padded.length - 4, bytes.length * 8);
    const state = new Uint32Array(H);
    for (let at = 0; at < padded.length; at += 64) compress(state, padded, at);
    return state;
  }

  function zeros(state) {
    let count = 0;
    for (const word of state) {
      count += Math.clz32(word);
      if (word !== 0) break;
    }
    return count;
  }

  const encoder = new TextEncoder();
  const expected = Math.pow(2, difficulty);
  let number = 0;

  // In short turns, so that the page stays usable.
  function search() {
    const until = performance.now() + 40;
    do {
      for (let turn = 0; turn < 64; turn++, number++) {
        if (zeros(sha256(encoder.encode(token + ':' + number))) >= difficulty) return send(number);
      }
    } while (performance.now() < until);
    progress.value = 95 * (1 - Math.exp(-number / expected));
    setTimeout(search, 0);
  }

  function words() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || '';
    const parts = [
      screen.width + 'x' + screen.height, window.devicePixelRatio, screen.colorDepth,
      (navigator.languages || []).slice(0, 4).join(','), zone, navigator.hardwareConcurrency || 0,
      navigator.maxTouchPoints || 0, navigator.webdriver ? 'driven' : '',
    ];
    return encodeURIComponent(parts.join('|')).slice(0, 400);
  }

  // How often this tab has passed in the last minute: without the cookie it would go round for ever.
  function rounds() {
    try {
      const now = Date.now();
      const known = JSON.parse(sessionStorage.getItem('portcullis') || '[]').filter((at) => now - at < 60000);
      known.push(now);
      sessionStorage.setItem('portcullis', JSON.stringify(known));
      return known.length;
    } catch (_) {
      return 1;
    }
  }

  function send(answer) {
    progress.value = 100;
    const headers = {};
    headers[header] = token + ':' + answer + ':' + words();
    // To the page's own URL, so that Envoy chooses the same route.
    const url = location.pathname + location.search;
    fetch(url, { method: 'POST', headers: headers, credentials: 'same-origin', cache: 'no-store' })
      .then((response) => {
        if (response.status !== 204) {
          fail('The site did not accept the result. Please try again.');
        } else if (!navigator.cookieEnabled || rounds() > 3) {
          fail('Your browser does not keep the cookie that the check sets. Please allow cookies for this site.');
        } else if (repeatable === 'true') {
          status.textContent = 'Done. The page you asked for is loading.';
          location.reload();
        } else {
          status.textContent = 'Done. Please send your request again.';
          progress.hidden = true;
        }
      })
      .catch(() => fail('The site could not be reached. Please try again.'));
  }

  search();
})();
