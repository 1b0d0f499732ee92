import Tensors

extension Manifest {
  /// Reads a manifest's text. Unknown fields are ignored (Spec: a reader's duties).
  ///
  /// - Parameter source: the patch's path, for messages.
  /// - Throws: an `ErrataError` of category `damagedInput` that names the field.
  public init(parsing text: [UInt8], source: String) throws {
    let json: JSON
    do {
      json = try JSON.parse(text, maximumValueCount: PatchLimits.manifestValueCount)
    } catch {
      throw ErrataError.manifestNotJSON(source, error)
    }
    guard let object = json.objectValue else { throw ErrataError.manifestNotAnObject(source) }
    try self.init(ManifestObject(object: object, path: "", source: source))
  }

  private init(_ object: ManifestObject) throws {
    let format = try object.integer("format")
    guard format == Self.formatVersion else { throw ErrataError.newerFormat(object.source, "\(format)") }
    let tool = try object.object("tool")
    self.init(
      created: try object.text("created"), tool: Tool(name: try tool.text("name"), version: try tool.text("version")),
      base: try Base(object.object("base")), result: try Self.result(object), batches: try Self.batches(object),
      parents: try object.objects("parents").map(Parent.init),
      derivation: try object.optionalObject("derived_from").map(Derivation.init),
      sources: try object.objects("stacked_from").map(Source.init), author: try object.optionalText("author"),
      licence: try object.optionalText("licence"),
      note: try object.optionalText("note"))
  }

  private static func result(_ object: ManifestObject) throws -> [ByteString: Digest]? {
    guard let result = try object.optionalObject("result") else { return nil }
    return Dictionary(uniqueKeysWithValues: try result.object.keys.map { ($0, try result.digest($0)) })
  }

  private static func batches(_ object: ManifestObject) throws -> [Batch] {
    let batches = try object.objects("batches").map(Batch.init)
    guard !batches.isEmpty else { throw object.wrong("batches", "an array of at least one batch") }
    return batches
  }
}

extension Manifest.Derivation {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      patch: try object.digest("patch"), change: try object.text("change"), author: try object.optionalText("author"))
  }
}

extension Manifest.Source {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      patch: try object.digest("patch"), batches: try object.digests("batches"),
      author: try object.optionalText("author"), licence: try object.optionalText("licence"),
      note: try object.optionalText("note"))
  }
}

extension Manifest.Base {
  fileprivate init(_ object: ManifestObject) throws {
    let tensors = try object.object("tensors").objectsByName().map { ($0, try Manifest.BaseTensor($1)) }
    self.init(
      name: try object.optionalText("name"), architecture: try object.optionalText("architecture"),
      configuration: try object.optionalDigest("config_sha256"),
      tokenizer: try object.optionalDigest("tokenizer_sha256"), tensors: Dictionary(uniqueKeysWithValues: tensors))
  }
}

extension Manifest.BaseTensor {
  fileprivate init(_ object: ManifestObject) throws {
    guard let dtype = DType(rawValue: try object.text("dtype")), dtype.isWeightType else {
      throw object.wrong("dtype", "one of F32, F16 and BF16")
    }
    guard let extents = try object.optionalArray("shape", "an array of sizes", \.integerValue),
      extents.allSatisfy({ $0 > 0 }), Shape(extents).elementCount != nil
    else { throw object.wrong("shape", "an array of sizes") }
    let isTransposed = try object.optionalFlag("transposed") ?? false
    guard extents.count == 2 || !isTransposed else { throw object.wrong("transposed", "for a matrix") }
    self.init(
      dtype: dtype, shape: Shape(extents), isTransposed: isTransposed, digest: try object.digest("sha256"))
  }
}

extension Manifest.Parent {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(patch: try object.digest("patch"), batches: try object.digests("batches"))
  }
}

extension Manifest.Batch {
  fileprivate init(_ object: ManifestObject) throws {
    let terms = try object.optionalText("terms") ?? Manifest.Terms.facts.rawValue
    guard let terms = Manifest.Terms(rawValue: terms) else {
      throw object.wrong("terms", "\"facts\" or \"components\"")
    }
    let figures = try object.optionalObject("tensors")?.objectsByName() ?? []
    let leftOut = try object.optionalObject("left_out")
    self.init(
      digest: try object.digest("digest"), terms: terms, method: try Manifest.Method(object.object("method")),
      computedOn: try object.optionalDigests("computed_on"), facts: try object.objects("facts").map(Manifest.Fact.init),
      statistics: try object.optionalObject("statistics").map(Manifest.Statistics.init),
      tensors: Dictionary(uniqueKeysWithValues: try figures.map { ($0, try Manifest.TensorFigures($1)) }),
      leftOut: Dictionary(uniqueKeysWithValues: try leftOut?.object.keys.map { ($0, try leftOut!.text($0)) } ?? []))
    guard Set(facts.map(\.identifier)).count == facts.count else { throw object.wrong("facts", "free of repetitions") }
  }
}

extension Manifest.Method {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      name: try object.text("name"), lambda: try object.magnitude("lambda"), alpha: try object.optionalNumber("alpha"),
      secondMomentWeight: try object.optionalNumber("second_moment_weight"),
      layers: try object.optionalArray("layers", "an array of integers", \.integerValue) ?? [],
      hyperparameters: try object.optionalObject("hyperparameters").map(Manifest.Hyperparameters.init)
        ?? Manifest.Hyperparameters())
  }
}

extension Manifest.Hyperparameters {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      learningRate: try object.optionalNumber("learning_rate"), steps: try object.optionalInteger("steps"),
      clampNormFactor: try object.optionalNumber("clamp_norm_factor"),
      weightDecay: try object.optionalNumber("weight_decay"), klFactor: try object.optionalNumber("kl_factor"),
      stopLoss: try object.optionalNumber("stop_loss"), seed: try object.optionalInteger("seed"),
      templates: try object.optionalArray("templates", "an array of strings", \.stringValue),
      keyForm: try object.optionalText("key_form"), lossLayer: try object.optionalInteger("loss_layer"),
      ridge: try object.optionalMagnitude("ridge"))
  }
}

extension Manifest.Statistics {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      digest: try object.optionalDigest("sha256"), tokenCount: try object.optionalCount("tokens"),
      corpus: try object.optionalText("corpus"), corpusDigest: try object.optionalDigest("corpus_sha256"))
  }
}

extension Manifest.TensorFigures {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      layer: try object.optionalCount("layer"), deltaNorm: try object.optionalMagnitude("delta_norm"),
      weightNorm: try object.optionalMagnitude("weight_norm"),
      storageError: try object.optionalMagnitude("storage_error"),
      // Sums that are zero but for rounding can be a little less.
      preservation: try object.optionalNumber("preservation"), ridge: try object.optionalMagnitude("ridge"),
      memorization: try object.optionalMagnitude("memorization"),
      outputPower: try object.optionalNumber("output_power"), deltaError: try object.optionalMagnitude("delta_error"),
      compaction: try object.optionalObject("compaction").map(Manifest.Compaction.init))
  }
}

extension Manifest.Compaction {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      norm: try object.text("norm"), tolerance: try object.optionalMagnitude("tolerance"),
      terms: try object.count("terms"), weightsError: try object.magnitude("weights_error"),
      textError: try object.optionalMagnitude("text_error"), factsError: try object.optionalMagnitude("facts_error"),
      worstFactError: try object.optionalMagnitude("worst_fact_error"))
  }
}

extension Manifest.Fact {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      subject: try object.text("subject"), prompt: try object.text("prompt"), targetNew: try object.text("target_new"),
      targetTrue: try object.optionalText("target_true"), relation: try object.optionalText("relation"),
      source: try object.optionalText("source"),
      outcome: try object.optionalObject("outcome").map(Manifest.Outcome.init))
    guard try object.text("id") == identifier else {
      throw object.wrong("id", "the digest of subject, prompt and target_new")
    }
  }
}

extension Manifest.Outcome {
  fileprivate init(_ object: ManifestObject) throws {
    self.init(
      steps: try object.optionalCount("steps"), loss: try object.optionalNumber("loss"),
      probabilityBefore: try object.optionalProbability("probability_before"),
      probabilityAfter: try object.optionalProbability("probability_after"),
      targetTokens: try object.optionalInteger("target_tokens"))
    if let targetTokens, targetTokens < 1 { throw object.wrong("target_tokens", "a positive integer") }
  }
}
