/// What `errata help glossary` says: the words that commands, tables and options use. Formulas are those of
/// ARCHITECTURE.md and Spec/wpatch.md.
enum Glossary {
  static let text = """
    base
      The checkpoint that an edit was computed for, without any patch. A patch
      names the digests of the weights that it changes there.

    batch
      Facts whose edit was solved together. A patch has one or more.

    clamp
      The largest norm of the vector that the search may add to a value, in
      units of the value's norm.

    efficacy, paraphrase, neighbourhood
      How often an edited model prefers the new target for the prompt itself
      (ES) and for the same question in other words (PS), and how often it
      keeps the old one for like subjects that were not edited (NS).

    fact
      A prompt about a subject, and the target that the model is to answer.

    holds
      A fact holds if the model's greedy reply to its prompt begins with the
      target.

    key
      The input of a layer's down-projection at the subject's last token: what
      a fact is looked up by.

    lambda, slack
      What is added to the diagonal of the facts' Gram matrix before it is
      solved. 0 gives every fact all it asks for; more of it disturbs ordinary
      text less, and leaves facts short. ROME's is 0, MEMIT's w, EMMET's
      alpha w (0 for one fact). 'errata resolve' changes it afterwards.

    ledger
      The record beside a checkpoint's weights of the patches that it carries,
      and of what leads back to its base.

    parent
      A patch that another was computed on top of, and must be applied with.

    patch
      A .wpatch file: facts, and the low-rank change of weights that teaches
      them.

    preservation
      How much an edit disturbs ordinary text: the mean squared norm of what
      it adds to the layer's output, E |D k|^2. Smaller is better.

    second moments
      The average of k k^T over the keys k of ordinary text, which says what
      an edit must leave alone. 'errata stats' collects them.

    short
      The share of what a fact asks of a layer that lambda withholds. 0% is
      all of it given.

    value
      What a layer's down-projection must give at the key for the model to say
      the new target; a search by gradients finds it.

    w
      The weight of ordinary text against the facts, for MEMIT and EMMET.
    """
}
