import Tensors

extension ErrataError {
  static func unsupportedArchitecture(_ path: String, _ name: String) -> ErrataError {
    ErrataError(
      .general, path,
      "architecture '\(name)' is not supported; supported are "
        + "\(Family.all.map(\.modelType).joined(separator: ", "))")
  }

  static func bareFileHasNoModel(_ path: String) -> ErrataError {
    ErrataError(.general, path, "a bare safetensors file has no config.json", remedy: "give the checkpoint's directory")
  }

  static func missingField(_ path: String, _ field: String) -> ErrataError {
    ErrataError(.damagedInput, path, "field '\(field)' is missing")
  }

  static func wrongField(_ path: String, _ field: String, expected: String, found: String) -> ErrataError {
    ErrataError(.damagedInput, path, "field '\(field)' must be \(expected), found \(found)")
  }

  static func unsupportedSetting(_ path: String, _ field: String, _ value: String, supported: String) -> ErrataError {
    ErrataError(.general, path, "'\(field)' = \(value) is not supported; supported: \(supported)")
  }

  static func quantized(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "'quantization_config' is not supported",
      remedy: "give the checkpoint in BF16, F16 or F32 that it was made from")
  }

  static func wrongShape(
    _ path: String, _ tensor: ByteString, expected: Shape, found: Shape
  ) -> ErrataError {
    ErrataError(.damagedInput, path, "tensor '\(tensor)' has shape \(found), but config.json implies \(expected)")
  }

  /// What a probability that is not a number says.
  public static func modelNotFinite(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "the model's answers are not finite numbers",
      remedy: "its weights hold NaN or infinity, or are damaged: fetch them again")
  }

  static func sequenceTooLong(_ length: Int, maximum: Int) -> ErrataError {
    ErrataError(.general, "a sequence of \(length) tokens is longer than the model's \(maximum) positions")
  }

  static func tokenOutOfRange(_ token: Int32, vocabularySize: Int) -> ErrataError {
    ErrataError(
      .general,
      "token \(token) is outside of the model's vocabulary of \(vocabularySize); the tokenizer belongs to "
        + "another model")
  }
}
