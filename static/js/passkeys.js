// Passkeys: makes one, or asks for one, and sends what the browser answers with the form around it.
// Stays hidden where the browser has none.

class PassKey extends HTMLElement {
  connectedCallback() {
    if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) return;
    this.hidden = false;
    this.form.querySelector("[data-without-passkeys]")?.remove();
    this.form.addEventListener("submit", this);
  }

  disconnectedCallback() {
    this.form?.removeEventListener("submit", this);
  }

  get form() {
    return this.closest("form");
  }

  async handleEvent(event) {
    event.preventDefault();
    const problem = this.querySelector(".problem");
    problem.hidden = true;
    try {
      const credential = "makes" in this.dataset ? await this.#make() : await this.#ask();
      this.form.elements.credential.value = JSON.stringify(credential);
      this.form.submit();
    } catch {
      // Refused, or nothing fits: browsers do not say which.
      problem.hidden = false;
    }
  }

  async #make() {
    const options = this.#written();
    // Kept by the device, and used only once it has seen its owner: enough to sign in with.
    const selection = { residentKey: "required", requireResidentKey: true, userVerification: "required" };
    Object.assign(options.publicKey, { authenticatorSelection: { ...options.publicKey.authenticatorSelection, ...selection } });
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey) });
  }

  async #ask() {
    const { publicKey } = this.dataset.asks ? await this.#fetched() : this.#written();
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  }

  #written() {
    return JSON.parse(this.form.querySelector("script").textContent);
  }

  async #fetched() {
    const response = await fetch(this.dataset.asks, { headers: { Accept: "application/json" } });
    return (await response.json()).request_options;
  }
}

customElements.define("pass-key", PassKey);
