import Tensors

extension ErrataError {
  static func promptTooLong(_ fact: String, _ length: Int, maximum: Int) -> ErrataError {
    ErrataError(
      .general, fact,
      "a prompt with context and target of \(length) tokens is longer than the model's \(maximum) positions",
      remedy: "shorten it")
  }

  package static func scoredPromptTooLong(_ fact: String, _ length: Int, maximum: Int) -> ErrataError {
    ErrataError(
      .general, fact,
      "one of its prompts, with the target \(length) tokens, is longer than the model's \(maximum) positions",
      remedy: "shorten it")
  }

  static func unknownChatFormat(_ path: String, known: [String]) -> ErrataError {
    ErrataError(
      .general, path, "the chat_template is of no known format (\(known.joined(separator: ", ")))",
      remedy: .describeChatFormat)
  }

  static func noChatFormat(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "there is no chat_template, and the tokenizer has no chat's tokens",
      remedy: .describeChatFormat)
  }

  static func notChatFormat(_ path: String, _ problem: String) -> ErrataError {
    ErrataError(.usage, path, at: "the chat format", problem)
  }

  // MARK: Values in files

  static func notValues(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is no file of values", remedy: .searchParts)
  }

  static func valuesDamaged(_ path: String, _ name: String, _ count: Int, _ size: Int) -> ErrataError {
    ErrataError(
      .damagedInput, path, "'\(name)' has \(count) numbers, and the model's hidden size is \(size)",
      remedy: "search them again")
  }

  static func valuesOfAnotherSearch(_ path: String) -> ErrataError {
    ErrataError(
      .baseMismatch, path, "its values were searched on another model, or with other templates, settings or parents",
      remedy: "search them again with these")
  }

  /// - Parameter parts: those that no file was given of; empty if the files do not tell.
  static func valuesMissing(_ count: Int, of factCount: Int, parts: [Part]) -> ErrataError {
    let names = boundedList(parts.map(\.description))
    return ErrataError(
      .general,
      "the files have no values of \(count) of \(factCount) facts"
        + (parts.isEmpty ? "; they were made of other facts" : ": those of part \(names) are missing"),
      remedy: parts.isEmpty ? "search these in parts again" : .searchParts)
  }

  static func processesDiffer(_ rank: Int) -> ErrataError {
    ErrataError(
      .general,
      "process \(rank) would search other values than process 0: its model, templates or settings are not the same",
      remedy: "give all of them the same files, threads (ERRATA_THREADS) and kernels (ERRATA_KERNELS)")
  }

  static let romeHasNoParts = ErrataError(
    .usage, "rome searches each fact on top of those before it, which cannot be done in parts",
    remedy: "use memit or emmet")

  static func notTemplates(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "context templates are a JSON array of strings")
  }

  /// - Parameter others: files of tokenizers in other formats that are there.
  static func noTokenizer(_ path: String, others: [String]) -> ErrataError {
    guard !others.isEmpty else {
      return ErrataError(.general, path, "no tokenizer.json; Errata reads the Hugging Face tokenizers format")
    }
    return ErrataError(
      .general, path, "no tokenizer.json, only \(others.joined(separator: ", "))",
      remedy: "transformers writes it: AutoTokenizer.from_pretrained(MODEL, use_fast=True).save_pretrained(MODEL)")
  }

  static func layerOutOfRange(_ layer: Int, count: Int) -> ErrataError {
    ErrataError(.usage, "layer \(layer) does not exist: the model has layers 0 to \(count - 1)")
  }

  static func layersNotAscending(_ layers: [Int]) -> ErrataError {
    ErrataError(
      .usage, "layers must ascend without repetition, found \(layers.map(String.init).joined(separator: ","))")
  }

  static func correctedTensor(_ name: ByteString, _ checkpoint: String) -> ErrataError {
    ErrataError(
      .conflict, checkpoint,
      "a patch sets the values of \(name) exactly, and no edit can be computed on top of it",
      remedy: "revert it first")
  }

  static func oneLayerOnly(_ method: String) -> ErrataError {
    ErrataError(.usage, "\(method) edits one layer", remedy: .giveOneLayer)
  }

  static func heldKeysAlike(_ count: Int) -> ErrataError {
    ErrataError(
      .general, "the \(count) keys that are held are too alike to be held so firmly",
      remedy: "protect with less weight, or hold fewer")
  }

  static let publishedROMEHoldsNothing = ErrataError(
    .usage, "published ROME's constraint is not at the key that its direction comes from, so nothing can be held",
    remedy: "protect with another method")

  static func dependentFacts(_ facts: [String]) -> ErrataError {
    ErrataError(
      .conflict,
      "these facts have keys that depend linearly on those of facts before them: "
        + "\(facts.joined(separator: "; "))",
      remedy: .dropDependent)
  }

  static func keysNotFinite(_ model: String, layer: Int) -> ErrataError {
    ErrataError(
      .general, model,
      "computes keys in layer \(layer) that are not finite; its weights hold NaN or infinity, or values too "
        + "large")
  }

  static func corpusNotText(_ path: String, line: Int) -> ErrataError {
    ErrataError(.damagedInput, path, "line \(line) is not UTF-8 text")
  }

  static func corpusLineNotJSON(_ path: String, line: Int, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, path, "line \(line) is not valid JSON", cause: reason)
  }

  static func corpusLineWithoutText(_ path: String, line: Int, field: String) -> ErrataError {
    ErrataError(.general, path, "line \(line) is no object with a text in its field '\(field)'", remedy: .nameField)
  }

  static func textRepeated(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "is given twice; its tokens would count twice")
  }

  static func fieldWithoutJSONLines() -> ErrataError {
    ErrataError(.usage, "a field goes with a text whose name ends in .jsonl")
  }

  static func sequenceWithoutText(_ length: Int, specialTokens: Int) -> ErrataError {
    ErrataError(
      .usage, "a sequence of \(length) tokens has no room for text beside the model's \(specialTokens) special tokens",
      remedy: .longerSequence)
  }

  static func corpusTooShort(_ path: String, _ tokens: Int) -> ErrataError {
    ErrataError(.general, path, "holds only \(tokens) tokens; a text of at least a few thousand is needed")
  }

  static func valueNotFinite(_ fact: String) -> ErrataError {
    ErrataError(.general, fact, "the value search diverged", remedy: .gentlerSearch)
  }

  static func hyperparameters(_ path: String, _ problem: String) -> ErrataError {
    ErrataError(.usage, path, problem)
  }

  static func hyperparametersBeyondLimit(_ path: String, _ problem: String) -> ErrataError {
    ErrataError(.damagedInput, path, problem)
  }

  package static func emptyPrompt(_ prompt: String) -> ErrataError {
    ErrataError(.usage, "the prompt \"\(prompt)\" is empty")
  }

  static func nothingTraced(_ model: String, _ tensors: [ByteString]) -> ErrataError {
    ErrataError(.general, model, cannotBeTraced(tensors))
  }

  /// - Parameter tensors: at least one.
  package static func cannotBeTraced(_ tensors: [ByteString]) -> String {
    "\(boundedList(tensors.map(\.description), most: 1)) cannot be traced: no down-projection, or changed by a "
      + "correction too"
  }

  static func notADownProjection(_ tensor: ByteString, _ model: String) -> ErrataError {
    ErrataError(
      .general, "a patch edits \(tensor), which is no layer's down-projection in \(model)",
      remedy: "apply it first, and trace the result")
  }

  static func noFacts(_ source: String) -> ErrataError {
    ErrataError(.general, source, "holds no facts")
  }
}
