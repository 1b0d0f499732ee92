import Tensors

// The tables of Spec/wpatch.md, in its order. What a field means stands there and at the property.

extension Manifest: ManifestRecord {
  package static let name = "manifest"
  package static let blank = Manifest(created: "", tool: .blank, base: .blank, batches: [])
  package static let fields: [ManifestField<Self>] = [
    .derived("format", \.format, .integer),
    .required("created", \.created, .text),
    .required("tool", \.tool, .record),
    .required("base", \.base, .record),
    .optional("result", \.result, .byTensor(.digest)),
    .defaulted("batches", \.batches, .records(), .required, isWrittenAlways: true),
    .defaulted("parents", \.parents, .records()),
    .optional("derived_from", \.derivation, .record),
    .defaulted("stacked_from", \.sources, .records()),
    .optional("author", \.author, .text),
    .optional("licence", \.licence, .text),
    .optional("note", \.note, .text),
  ]

  package func check(_ object: ManifestObject) throws {
    guard !batches.isEmpty else { throw object.wrong("batches", "an array of at least one batch") }
  }
}

extension Manifest.Tool: ManifestRecord {
  package static let name = "tool"
  package static let blank = Manifest.Tool(name: "", version: "")
  package static let fields: [ManifestField<Self>] = [
    .required("name", \.name, .text),
    .required("version", \.version, .text),
  ]
}

extension Manifest.Base: ManifestRecord {
  package static let name = "base"
  package static let blank = Manifest.Base(tensors: [:])
  package static let fields: [ManifestField<Self>] = [
    .optional("name", \.name, .text, .ifKnown),
    .optional("architecture", \.architecture, .text, .ifKnown),
    .optional("config_sha256", \.configuration, .digest, .ifKnown),
    .optional("tokenizer_sha256", \.tokenizer, .digest, .ifKnown),
    .required("tensors", \.tensors, .byTensor(.record)),
  ]
}

extension Manifest.BaseTensor: ManifestRecord {
  package static let name = "base tensor"
  package static let blank = Manifest.BaseTensor(
    dtype: .f32, shape: [], isTransposed: false, digest: Digest(of: []))
  package static let fields: [ManifestField<Self>] = [
    .required("dtype", \.dtype, .weightType),
    .required("shape", \.shape, .shape),
    .defaulted("transposed", \.isTransposed, .flag),
    .required("sha256", \.digest, .digest),
    .unsupported("slice", "slice", "a weight that is a slice of a tensor"),
    .unsupported("scales", "scales", "a weight that is stored with scales"),
  ]

  package func check(_ object: ManifestObject) throws {
    guard shape.extents.count == 2 || !isTransposed else { throw object.wrong("transposed", "for a matrix") }
  }
}

extension Manifest.Parent: ManifestRecord {
  package static let name = "parent"
  package static let blank = Manifest.Parent(patch: Digest(of: []), batches: [])
  package static let fields: [ManifestField<Self>] = [
    .required("patch", \.patch, .digest),
    .required("batches", \.batches, .digests),
  ]
}

extension Manifest.Derivation: ManifestRecord {
  package static let name = "derivation"
  package static let blank = Manifest.Derivation(patch: Digest(of: []), change: "")
  package static let fields: [ManifestField<Self>] = [
    .required("patch", \.patch, .digest),
    .required("change", \.change, .text),
    .optional("author", \.author, .text),
  ]
}

extension Manifest.Source: ManifestRecord {
  package static let name = "source"
  package static let blank = Manifest.Source(patch: Digest(of: []), batches: [])
  package static let fields: [ManifestField<Self>] = [
    .required("patch", \.patch, .digest),
    .required("batches", \.batches, .digests),
    .optional("author", \.author, .text),
    .optional("licence", \.licence, .text),
    .optional("note", \.note, .text),
  ]
}

extension Manifest.Batch: ManifestRecord {
  package static let name = "batch"
  package static let blank = Manifest.Batch(method: .blank, facts: [])
  package static let fields: [ManifestField<Self>] = [
    .required("digest", \.digest, .digest),
    .defaulted("terms", \.terms, .word),
    .required("method", \.method, .record),
    .optional("computed_on", \.computedOn, .digests),
    .optional("metric", \.metric, .record),
    .unsupported("shared", "[shared]", "a system over several weights"),
    .defaulted("facts", \.facts, .records(), isWrittenAlways: true),
    .optional("statistics", \.statistics, .record, .ifKnown),
    .defaulted("tensors", \.tensors, .byTensor(.record)),
    .defaulted("left_out", \.leftOut, .byTensor(.text)),
    .defaulted("left_out_figures", \.leftOutFigures, .byTensor(.record), .ifKnown),
    .optional("adapter", \.adapter, .record),
  ]

  package func check(_ object: ManifestObject) throws {
    guard Set(facts.map(\.identifier)).count == facts.count else { throw object.wrong("facts", "free of repetitions") }
    guard leftOutFigures.keys.allSatisfy({ leftOut[$0] != nil }) else {
      throw object.wrong("left_out_figures", "of tensors that left_out names")
    }
  }
}

extension Manifest.Method: ManifestRecord {
  package static let name = "method"
  package static let blank = Manifest.Method(name: "", lambda: 0, layers: [])
  package static let fields: [ManifestField<Self>] = [
    .required("name", \.name, .text),
    .required("lambda", \.slack, .slack),
    .optional("alpha", \.alpha, .number),
    .optional("second_moment_weight", \.secondMomentWeight, .number),
    .defaulted("layers", \.layers, .integers, isWrittenAlways: true),
    .settings("hyperparameters", \.hyperparameters),
  ]
}

extension Manifest.Metric: ManifestRecord {
  package static let name = "metric"
  package static let blank = Manifest.Metric(kind: .secondMoments)
  package static let fields: [ManifestField<Self>] = [
    .required("kind", \.kind, .word),
    .optional("energy", \.energy, .magnitude, .ifKnown),
    .defaulted("held", \.held, .records()),
  ]

  package func check(_ object: ManifestObject) throws {
    guard kind == .projection || energy == nil else { throw object.wrong("energy", "for this kind of metric") }
  }
}

extension Manifest.Held: ManifestRecord {
  package static let name = "held"
  package static let blank = Manifest.Held(keyCount: 0, mu: .same(0))
  package static let fields: [ManifestField<Self>] = [
    .optional("batch", \.batch, .digest, .conditional),
    .optional("protected", \.protected, .digest, .conditional),
    .required("keys", \.keyCount, .positive),
    .required("mu", \.mu, .slack),
  ]

  package func check(_ object: ManifestObject) throws {
    guard (batch == nil) != (protected == nil) else { throw object.wrong("batch", "there, or protected, and not both") }
    guard mu.fits(termCount: keyCount) else { throw object.wrong("mu", "one number, or one for each key") }
  }
}

extension Manifest.Adapter: ManifestRecord {
  package static let name = "adapter"
  package static let blank = Manifest.Adapter(digest: Digest(of: []), scaling: 0)
  package static let fields: [ManifestField<Self>] = [
    .optional("name", \.name, .text, .ifKnown),
    .required("sha256", \.digest, .digest),
    .optional("config_sha256", \.configuration, .digest, .ifKnown),
    .optional("alpha", \.alpha, .number, .ifKnown),
    .optional("rank", \.rank, .positive, .ifKnown),
    .defaulted("rank_stabilized", \.isRankStabilized, .flag),
    .required("scaling", \.scaling, .number),
    .defaulted("dropped", \.dropped, .byTensor(.text)),
  ]
}

extension Manifest.LeftOutFigures: ManifestRecord {
  package static let name = "left out"
  package static let blank = Manifest.LeftOutFigures()
  package static let fields: [ManifestField<Self>] = [
    .optional("elements", \.elementCount, .count, .ifKnown),
    .optional("delta_norm", \.deltaNorm, .magnitude, .ifKnown),
    .optional("weight_norm", \.weightNorm, .magnitude, .ifKnown),
  ]
}

extension Manifest.Hyperparameters: ManifestRecord {
  package static let name = "hyperparameters"
  package static let blank = Manifest.Hyperparameters()
  package static let fields: [ManifestField<Self>] = [
    .optional("learning_rate", \.learningRate, .number, .ifKnown),
    .optional("steps", \.steps, .integer, .ifKnown),
    .optional("clamp_norm_factor", \.clampNormFactor, .number, .ifKnown),
    .optional("weight_decay", \.weightDecay, .number, .ifKnown),
    .optional("kl_factor", \.klFactor, .number, .ifKnown),
    .optional("stop_loss", \.stopLoss, .number, .ifKnown),
    .optional("seed", \.seed, .integer, .ifKnown),
    .optional("templates", \.templates, .texts, .ifKnown),
    .optional("key_form", \.keyForm, .text, .ifKnown),
    .optional("loss_layer", \.lossLayer, .integer, .ifKnown),
    .optional("ridge", \.ridge, .magnitude, .ifKnown),
  ]
}

extension Manifest.Fact: ManifestRecord {
  package static let name = "fact"
  package static let blank = Manifest.Fact(subject: "", prompt: "", targetNew: "")
  package static let fields: [ManifestField<Self>] = [
    .derived("id", \.identifier, .text),
    .required("subject", \.subject, .text),
    .required("prompt", \.prompt, .text),
    .required("target_new", \.targetNew, .text),
    .optional("target_true", \.targetTrue, .text),
    .optional("relation", \.relation, .text),
    .optional("source", \.source, .text),
    .defaulted("kind", \.kind, .word),
    .optional("form", \.form, .record),
    .optional("separator", \.separator, .text),
    .defaulted("paraphrases", \.paraphrases, .texts),
    .defaulted("neighbours", \.neighbours, .records()),
    .optional("outcome", \.outcome, .record, .ifKnown),
  ]

  package func check(_ object: ManifestObject) throws {
    guard object.object["id"]?.stringValue == identifier else {
      throw object.wrong(
        "id", isPlain ? "the digest of subject, prompt and target_new" : "the digest of the fact's text")
    }
    // A zero byte stands between the parts of an ID.
    guard
      isPlain
        || ![subject, prompt, targetNew, separator ?? "", form?.system ?? ""].contains(where: { $0.utf8.contains(0) })
    else { throw object.wrong("id", "one of texts without zero bytes") }
  }

  /// For `--json`.
  public var json: JSON { .object(members) }
}

extension Manifest.Form: ManifestRecord {
  package static let name = "form"
  package static let blank = Manifest.Form()
  package static let fields: [ManifestField<Self>] = [
    .required("kind", \.kind, .word),
    .optional("system", \.system, .text),
    .optional("template_sha256", \.template, .digest, .ifKnown),
    .optional("turn", \.turn, .record, .ifKnown),
  ]
}

extension Manifest.Turn: ManifestRecord {
  package static let name = "turn"
  package static let blank = Manifest.Turn(before: "", after: "")
  package static let fields: [ManifestField<Self>] = [
    .required("before", \.before, .text),
    .required("after", \.after, .text),
  ]
}

extension Manifest.Neighbour: ManifestRecord {
  package static let name = "neighbour"
  package static let blank = Manifest.Neighbour(prompt: "")
  package static let fields: [ManifestField<Self>] = [
    .required("prompt", \.prompt, .text),
    .optional("target", \.target, .text, .ifKnown),
  ]
}

extension Manifest.Outcome: ManifestRecord {
  package static let name = "outcome"
  package static let blank = Manifest.Outcome()
  package static let fields: [ManifestField<Self>] = [
    .optional("steps", \.steps, .count, .ifKnown),
    .optional("loss", \.loss, .number, .ifKnown),
    .optional("probability_before", \.probabilityBefore, .probability, .ifKnown),
    .optional("probability_after", \.probabilityAfter, .probability, .ifKnown),
    .optional("target_tokens", \.targetTokens, .positive, .ifKnown),
    .optional("token_probabilities_before", \.tokensBefore, .probabilities, .ifKnown),
    .optional("token_probabilities_after", \.tokensAfter, .probabilities, .ifKnown),
    .optional("holds", \.holds, .flag, .ifKnown),
  ]
}

extension Manifest.Statistics: ManifestRecord {
  package static let name = "statistics"
  package static let blank = Manifest.Statistics()
  package static let fields: [ManifestField<Self>] = [
    .optional("sha256", \.digest, .digest, .ifKnown),
    .optional("tokens", \.tokenCount, .count, .ifKnown),
    .optional("corpus", \.corpus, .text, .ifKnown),
    .optional("corpus_sha256", \.corpusDigest, .digest, .ifKnown),
  ]
}

extension Manifest.TensorFigures: ManifestRecord {
  package static let name = "figures"
  package static let blank = Manifest.TensorFigures()
  package static let fields: [ManifestField<Self>] = [
    .optional("layer", \.layer, .count, .ifKnown),
    .optional("lambda", \.slack, .slack, .ifKnown, joins: false),
    .optional("delta_norm", \.deltaNorm, .magnitude, .ifKnown, joins: false),
    .optional("weight_norm", \.weightNorm, .magnitude, .ifKnown),
    .optional("storage_error", \.storageError, .magnitude, .ifKnown, joins: false),
    // Sums that are zero but for rounding can be a little less.
    .optional("preservation", \.preservation, .number, .ifKnown, joins: false),
    .optional("ridge", \.ridge, .magnitude, .ifKnown, joins: false),
    .optional("memorization", \.memorization, .magnitude, .ifKnown, joins: false),
    .optional("output_power", \.outputPower, .number, .ifKnown),
    .optional("delta_error", \.deltaError, .magnitude, .ifKnown, joins: false),
    .optional("compaction", \.compaction, .record, .ifKnown, joins: false),
    .optional("scaling", \.scaling, .number, .ifKnown, joins: false),
  ]
}

extension Manifest.Compaction: ManifestRecord {
  package static let name = "compaction"
  package static let blank = Manifest.Compaction(norm: "", terms: 0, weightsError: 0)
  package static let fields: [ManifestField<Self>] = [
    .required("norm", \.norm, .text),
    .optional("tolerance", \.tolerance, .magnitude),
    .required("terms", \.terms, .count),
    .required("weights_error", \.weightsError, .magnitude),
    .optional("text_error", \.textError, .magnitude, .ifKnown),
    .optional("facts_error", \.factsError, .magnitude, .ifKnown),
    .optional("worst_fact_error", \.worstFactError, .magnitude, .ifKnown),
  ]
}
