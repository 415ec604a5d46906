/* Passkeys: asks the server for a challenge, lets the device answer, and sends the answer in the form. */
(() => {
  "use strict";

  const WORDS = {
    unknown: "This browser does not know passkeys. Use another way, or another browser.",
    NotAllowedError: "Nothing was done: it was cancelled, or took too long. Press the button to try again.",
    InvalidStateError: "This device already holds a passkey for your account. Use another device, or remove the old one first.",
    SecurityError: "Passkeys work only at our own address. Check the address in your browser.",
    NotSupportedError: "This device cannot make the kind of passkey that we need: one that asks for your finger, face or PIN.",
    password: "Enter your password first.",
    late: "This page has been open for too long. Load it again.",
    failed: "We could not reach the server. Nothing was changed. Try again in a moment.",
  };

  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (char) => char.charCodeAt(0));
  };

  const text = (buffer) => {
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  class Refusal extends Error {}

  function say(form, words) {
    const place = form.querySelector("[data-passkey-says]");
    if (place) place.textContent = words;
  }

  async function challenge(form, url) {
    let answer;
    try {
      answer = await fetch(url, {
        method: "POST",
        headers: { "X-CSRFToken": form.elements.csrf_token.value, Accept: "application/json" },
      });
    } catch {
      throw new Refusal(WORDS.failed);
    }
    if (answer.status === 429) throw new Refusal("Too many tries. Wait a few minutes, then try again.");
    if (answer.status >= 500) throw new Refusal(WORDS.failed);
    if (!answer.headers.get("Content-Type")?.startsWith("application/json")) throw new Refusal(WORDS.late);
    return (await answer.json()).publicKey;
  }

  const listed = (keys = []) => keys.map((key) => ({ ...key, id: bytes(key.id) }));

  async function make(asked) {
    const made = await navigator.credentials.create({
      publicKey: {
        ...asked,
        challenge: bytes(asked.challenge),
        user: { ...asked.user, id: bytes(asked.user.id) },
        excludeCredentials: listed(asked.excludeCredentials),
      },
    });
    return told(made, ["clientDataJSON", "attestationObject"]);
  }

  async function sign(asked) {
    const signed = await navigator.credentials.get({
      publicKey: { ...asked, challenge: bytes(asked.challenge), allowCredentials: listed(asked.allowCredentials) },
    });
    return told(signed, ["clientDataJSON", "authenticatorData", "signature", "userHandle"]);
  }

  function told(credential, names) {
    const response = {};
    for (const name of names) if (credential.response[name]) response[name] = text(credential.response[name]);
    const id = text(credential.rawId);
    return JSON.stringify({ id, rawId: id, type: credential.type, response, clientExtensionResults: {} });
  }

  async function answer(button) {
    const { form } = button;
    const empty = [...form.querySelectorAll("input[type=password]")].find((field) => !field.value);
    if (empty) {
      empty.focus();
      return say(form, WORDS.password);
    }
    button.disabled = true;
    say(form, "Follow what your browser or device asks.");
    try {
      if (!window.PublicKeyCredential) throw new Refusal(WORDS.unknown);
      const asked = await challenge(form, button.dataset.challenge);
      form.elements.credential.value = await (button.dataset.passkey === "make" ? make(asked) : sign(asked));
      say(form, "");
      form.requestSubmit();
    } catch (trouble) {
      say(form, trouble instanceof Refusal ? trouble.message : (WORDS[trouble.name] ?? WORDS.NotAllowedError));
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-passkey]");
    if (button) answer(button);
  });

  /* Enter in a field of such a form means the passkey, which is the form's one button. */
  document.addEventListener(
    "submit",
    (event) => {
      const button = event.target.querySelector("button[data-passkey]");
      if (!button || event.target.elements.credential.value) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!button.disabled) answer(button);
    },
    true,
  );
})();
