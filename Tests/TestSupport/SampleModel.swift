import Foundation

extension TemporaryDirectory {
  /// The sample model with a tokenizer that puts special tokens around a text.
  ///
  /// - Parameter template: as people write it, such as `<|endoftext|> $A`; nil for the tokenizer as it is, with none.
  /// - Returns: the checkpoint's path.
  public func sampleModel(template: String?, name: String) throws -> String {
    let model = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../SamplePatches/model")
      .standardizedFileURL.path
    try FileManager.default.createDirectory(atPath: self(name), withIntermediateDirectories: true)
    for file in ["config.json", "model.safetensors"] {
      try FileManager.default.createSymbolicLink(
        atPath: self("\(name)/\(file)"), withDestinationPath: "\(model)/\(file)")
    }
    var tokenizer = try String(contentsOfFile: model + "/tokenizer.json", encoding: .utf8)
    if let template {
      let pieces = template.split(separator: " ").map { piece in
        piece == "$A"
          ? #"{"Sequence": {"id": "A", "type_id": 0}}"# : #"{"SpecialToken": {"id": "\#(piece)", "type_id": 0}}"#
      }
      let special = #"{"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}}"#
      tokenizer = tokenizer.replacingOccurrences(
        of: #""post_processor": null"#,
        with: #""post_processor": {"type": "TemplateProcessing", "single": [\#(pieces.joined(separator: ", "))], "#
          + #""pair": [], "special_tokens": \#(special)}"#)
    }
    try write(tokenizer, to: "\(name)/tokenizer.json")
    return self(name)
  }
}
