import Tensors

/// What `tokenizer_config.json` asks for beyond `tokenizer.json`. It is `transformers` that reads this file; the
/// `tokenizers` package and Errata go by `tokenizer.json` alone.
public struct TokenizerConfiguration: Sendable {
  /// The token that `transformers` puts before every text (`add_bos_token`, `bos_token`); nil if there is none.
  public let beginningOfText: ByteString?

  /// - Parameter path: that of the file; one that is missing or not as expected asks for nothing.
  public init(contentsOf path: String) {
    guard let json = try? JSON.parse(contentsOf: path, maximumValueCount: 1 << 20), json["add_bos_token"] == true else {
      beginningOfText = nil
      return
    }
    let token = json["bos_token"]
    beginningOfText = token?.bytesValue ?? token?["content"]?.bytesValue
  }
}
