import Tensors

/// Why a change cannot be an adapter, or a file is none that can be read, in words.
extension ErrataError {
  // MARK: From patches

  static func mapIsNoMatrix(_ path: String, _ tensor: ByteString, _ shape: Shape) -> ErrataError {
    ErrataError(
      .damagedInput, path, "tensor \"\(tensor)\" has the shape \(shape), and a linear map has two extents")
  }

  static func notForAdapters(_ path: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, path, "edits \"\(tensor)\", and adapters change the linear maps of a model's blocks alone",
      remedy: "apply it to a copy of the model, and serve that")
  }

  static func correctionInAdapter(_ path: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, path, "has corrections of \"\(tensor)\", which no adapter can hold", remedy: .serveWithoutCorrection)
  }

  static func adapterOutOfRange(_ tensor: ByteString, _ dtype: DType) -> ErrataError {
    ErrataError(
      .general, "\"\(tensor)\"", "a value of its factors leaves the range of \(dtype.rawValue)",
      remedy: "store them as f32 or bf16")
  }

  static func ggufUnknownArchitecture(_ path: String, _ family: String) -> ErrataError {
    ErrataError(.general, path, "llama.cpp does not run models of type '\(family)'", remedy: .exportToPEFT)
  }

  static func ggufUnknownTensor(_ path: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, path, "the rows of \"\(tensor)\" stand in another order in GGUF files", remedy: .exportToPEFT)
  }

  static func adapterDoesNotReadBack(_ path: String) -> ErrataError {
    ErrataError(.general, path, "what was written is not what a reader finds in it", outcome: "nothing is left of it")
  }

  // MARK: Reading

  /// Of a module or tensor, whatever the file calls it.
  static func adapterShape(_ path: String, _ name: String, found: Shape, wanted: Shape) -> ErrataError {
    ErrataError(
      .baseMismatch, path,
      "\"\(name)\" is for a tensor of shape \(found), and the base's is \(wanted); it belongs to another model")
  }

  static func adapterNoModule(_ path: String, _ name: String, _ base: String) -> ErrataError {
    ErrataError(
      .baseMismatch, path,
      "\"\(name)\" is no linear map of a block of \(base); it belongs to another model, or changes what no patch of "
        + "factors can")
  }

  static func adapterModuleTwice(_ path: String, _ name: String) -> ErrataError {
    ErrataError(
      .damagedInput, path, "\"\(name)\" has more than one pair of factors", remedy: "export the adapters one by one")
  }

  static func adapterHalf(_ path: String, _ name: String, missing: String) -> ErrataError {
    ErrataError(.damagedInput, path, "\"\(name)\" has no \(missing)", remedy: "fetch the file again")
  }

  static func adapterFactorShape(_ path: String, _ name: String, _ shape: Shape) -> ErrataError {
    ErrataError(
      .damagedInput, path, "\"\(name)\" has the shape \(shape), and a factor is a matrix with 1 to 65536 terms")
  }

  static func adapterRanksDiffer(_ path: String, _ name: String, _ first: Int, _ second: Int) -> ErrataError {
    ErrataError(
      .damagedInput, path, at: "\"\(name)\"", "one of its factors has rank \(first), the other \(second)")
  }

  static func adapterNotFinite(_ path: String, _ name: String) -> ErrataError {
    ErrataError(
      .damagedInput, path, "\"\(name)\" holds NaN or infinity", remedy: "fetch the file again, or train it anew")
  }

  static func adapterEmpty(_ path: String) -> ErrataError {
    ErrataError(.damagedInput, path, "holds no factors", remedy: "fetch the file again")
  }

  static func adapterChangesNothing(_ path: String) -> ErrataError {
    ErrataError(.general, path, "changes nothing: one factor of every pair is zero, as before training")
  }

  static func adapterUnsupported(_ path: String, _ what: String) -> ErrataError {
    ErrataError(
      .general, path, "\(what), which factors beside the weights cannot say", remedy: .mergeAndCompare)
  }

  static func noAdapter(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(
      .general, path, reason,
      remedy: "give a folder with adapter_config.json and adapter_model.safetensors, or a GGUF adapter")
  }

  static func pickledAdapter(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "is a pickle, which is a program", remedy: .convertPickle)
  }

  static func deltaType(_ path: String, _ name: String, _ type: String) -> ErrataError {
    ErrataError(.general, path, "\"\(name)\" is of type \(type), and a change is of floating-point numbers")
  }

  static func wholeDeltaTooLarge(_ path: String, _ name: String) -> ErrataError {
    ErrataError(
      .general, path, "\"\(name)\" is a whole change, too large to be decomposed", remedy: .addAndCompare)
  }

  static func adapterField(_ path: String, _ field: String, expected: String) -> ErrataError {
    ErrataError(.damagedInput, path, "'\(field)' is not \(expected)")
  }

  static func gguf(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, path, "not a GGUF adapter", cause: reason)
  }

  static func ggufOtherArchitecture(_ path: String, _ found: String, _ wanted: String?) -> ErrataError {
    ErrataError(
      .baseMismatch, path,
      "is for the architecture '\(found)', and the base's is '\(wanted ?? "unknown to llama.cpp")'; it belongs to "
        + "another model")
  }

  // MARK: Writing

  static func outputIsThere(_ path: String) -> ErrataError {
    ErrataError(.general, path, "is there already", remedy: "name another output")
  }

  static func outputFailed(_ path: String, _ code: Int32) -> ErrataError {
    ErrataError(.general, path, "cannot write", cause: systemErrorText(code), remedy: "name another output")
  }
}
