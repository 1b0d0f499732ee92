import Tensors

extension Manifest {
  /// The manifest's text: sorted keys, no white space, UTF-8.
  public func serialized() -> [UInt8] { json.serialized() }

  /// For `--json`.
  public var json: JSON {
    var members = ManifestMembers()
    members.set("format", Self.formatVersion)
    members.set("created", created)
    members.set("tool", ["name": JSON(tool.name), "version": JSON(tool.version)] as JSON)
    members.set("base", base.json)
    members.set("result", result.map { JSON.object(Self.byName($0) { JSON($0.description) }) })
    members.set("batches", JSON.array(batches.map(\.json)))
    members.set("parents", unlessEmpty: parents.map(\.json))
    members.set("derived_from", derivation?.json)
    members.set("stacked_from", unlessEmpty: sources.map(\.json))
    members.set("author", author)
    members.set("licence", licence)
    members.set("note", note)
    return members.json
  }

  fileprivate static func byName<Value>(_ values: [ByteString: Value], _ convert: (Value) -> JSON) -> JSONObject {
    var object = JSONObject()
    for name in values.keys.sorted() { object[name] = convert(values[name]!) }
    return object
  }
}

extension Manifest.Base {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("name", name)
    members.set("architecture", architecture)
    members.set("config_sha256", configuration)
    members.set("tokenizer_sha256", tokenizer)
    members.set("tensors", JSON.object(Manifest.byName(tensors, \.json)))
    return members.json
  }
}

extension Manifest.BaseTensor {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("dtype", dtype.rawValue)
    members.set("shape", JSON.array(shape.extents.map(JSON.integer)))
    members.set("transposed", ifTrue: isTransposed)
    members.set("sha256", digest)
    return members.json
  }
}

extension Manifest.Parent {
  fileprivate var json: JSON {
    ["patch": JSON(patch.description), "batches": .array(batches.map { JSON($0.description) })]
  }
}

extension Manifest.Derivation {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("patch", patch)
    members.set("change", change)
    members.set("author", author)
    return members.json
  }
}

extension Manifest.Source {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("patch", patch)
    members.set("batches", JSON.array(batches.map { JSON($0.description) }))
    members.set("author", author)
    members.set("licence", licence)
    members.set("note", note)
    return members.json
  }
}

extension Manifest.Batch {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("digest", digest)
    if terms != .facts { members.set("terms", terms.rawValue) }
    members.set("method", method.json)
    members.set("computed_on", computedOn.map { JSON.array($0.map { JSON($0.description) }) })
    members.set("facts", JSON.array(facts.map(\.json)))
    members.set("statistics", statistics?.json)
    members.set("tensors", unlessEmpty: Manifest.byName(tensors, \.json))
    members.set("left_out", unlessEmpty: Manifest.byName(leftOut) { JSON($0) })
    return members.json
  }
}

extension Manifest.Method {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("name", name)
    members.set("lambda", lambda)
    members.set("alpha", alpha)
    members.set("second_moment_weight", secondMomentWeight)
    members.set("layers", JSON.array(layers.map(JSON.integer)))
    members.set("hyperparameters", unlessEmpty: hyperparameters.members)
    return members.json
  }
}

extension Manifest.Hyperparameters {
  fileprivate var members: JSONObject {
    var members = ManifestMembers()
    members.set("learning_rate", learningRate)
    members.set("steps", steps)
    members.set("clamp_norm_factor", clampNormFactor)
    members.set("weight_decay", weightDecay)
    members.set("kl_factor", klFactor)
    members.set("stop_loss", stopLoss)
    members.set("seed", seed)
    members.set("templates", templates.map { JSON.array($0.map { JSON($0) }) })
    members.set("key_form", keyForm)
    members.set("loss_layer", lossLayer)
    members.set("ridge", ridge)
    return members.object
  }
}

extension Manifest.Statistics {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("sha256", digest)
    members.set("tokens", tokenCount)
    members.set("corpus", corpus)
    members.set("corpus_sha256", corpusDigest)
    return members.json
  }
}

extension Manifest.TensorFigures {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("layer", layer)
    members.set("delta_norm", deltaNorm)
    members.set("weight_norm", weightNorm)
    members.set("storage_error", storageError)
    members.set("preservation", preservation)
    members.set("ridge", ridge)
    members.set("memorization", memorization)
    members.set("output_power", outputPower)
    members.set("delta_error", deltaError)
    members.set("compaction", compaction?.json)
    return members.json
  }
}

extension Manifest.Compaction {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("norm", norm)
    members.set("tolerance", tolerance)
    members.set("terms", terms)
    members.set("weights_error", weightsError)
    members.set("text_error", textError)
    members.set("facts_error", factsError)
    members.set("worst_fact_error", worstFactError)
    return members.json
  }
}

extension Manifest.Fact {
  /// For `--json`.
  public var json: JSON {
    var members = ManifestMembers()
    members.set("id", identifier)
    members.set("subject", subject)
    members.set("prompt", prompt)
    members.set("target_new", targetNew)
    members.set("target_true", targetTrue)
    members.set("relation", relation)
    members.set("source", source)
    members.set("outcome", outcome?.json)
    return members.json
  }
}

extension Manifest.Outcome {
  fileprivate var json: JSON {
    var members = ManifestMembers()
    members.set("steps", steps)
    members.set("loss", loss)
    members.set("probability_before", probabilityBefore)
    members.set("probability_after", probabilityAfter)
    members.set("target_tokens", targetTokens)
    return members.json
  }
}
