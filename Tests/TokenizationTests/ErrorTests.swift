import Foundation
import Tensors
import Testing

@testable import Tokenization

/// A tokenizer of four tokens, as the parts of a JSON text.
private struct Parts {
  var addedTokens = "[]"
  var normalizer = "null"
  var preTokenizer = #"{"type": "ByteLevel", "add_prefix_space": false}"#
  var postProcessor = "null"
  var decoder = #"{"type": "ByteLevel"}"#
  var vocabulary = #"{"a": 0, "b": 1, "ab": 2, "Ġ": 3}"#
  var merges = #"["a b"]"#
  var options = #""type": "BPE""#

  func tokenizer() throws -> Tokenizer {
    let text = """
      {"added_tokens": \(addedTokens), "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer),
       "post_processor": \(postProcessor), "decoder": \(decoder),
       "model": {\(options), "vocab": \(vocabulary), "merges": \(merges)}}
      """
    return try Tokenizer(text)
  }
}

extension Tokenizer {
  fileprivate convenience init(_ text: String) throws {
    let bytes = Array(text.utf8)
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    try self.init(UnsafeRawBufferPointer(copy), file: "t.json")
  }
}

private func expectError(
  _ category: ErrataError.Kind, _ message: String, location: SourceLocation = #_sourceLocation,
  _ change: (inout Parts) -> Void
) {
  var parts = Parts()
  change(&parts)
  #expect(throws: ErrataError(category, message), sourceLocation: location) { try parts.tokenizer() }
}

@Suite struct ErrorTests {
  @Test func theUnchangedPartsAreATokenizer() throws {
    #expect(try Parts().tokenizer().encode("ab a") == [2, 3, 0])
  }

  @Test func files() {
    #expect(throws: ErrataError(.general, "/no/such/file: cannot open: no such file or directory")) {
      try Tokenizer(contentsOf: "/no/such/file")
    }
    #expect(
      throws: ErrataError(
        .damagedInput, "t.json: not valid JSON at byte 1: a key is expected; download the tokenizer again")
    ) { try Tokenizer("{") }
  }

  @Test func vocabularies() {
    let missing =
      "t.json: model.vocab: a tokenizer without a vocabulary; use the tokenizer.json that belongs to the checkpoint"
    expectError(.damagedInput, missing) { $0.vocabulary = "{}" }
    expectError(.damagedInput, missing) { $0.vocabulary = "null" }
    expectError(
      .damagedInput,
      "t.json: model.vocab: the id of \"a\\n\" is not a number from 0 to 16777215; download the tokenizer again"
    ) { $0.vocabulary = #"{"a\n": -1}"# }
    expectError(
      .damagedInput,
      "t.json: model.vocab: \"b\" has id 0, which another token has too; download the tokenizer again"
    ) { $0.vocabulary = #"{"a": 0, "b": 0}"# }
  }

  @Test func models() {
    expectError(.general, "t.json: model.type: WordPiece is not supported; supported: BPE, Unigram") {
      $0.options = #""type": "WordPiece""#
    }
    expectError(.general, "t.json: model.type: a model without merges is not supported; supported: BPE, Unigram") {
      $0.options = #""x": 1"#
      $0.merges = "null"
    }
    expectError(
      .general,
      "t.json: model.continuing_subword_prefix: \"@@\" is not supported; supported: null or an empty string"
    ) { $0.options += #", "continuing_subword_prefix": "@@""# }
    expectError(.general, "t.json: model.dropout: random merging is not supported; supported: null or 0") {
      $0.options += #", "dropout": 0.1"#
    }
    expectError(
      .general,
      "t.json: model.byte_fallback: true with bytes missing in the vocabulary is not supported; "
        + "supported: false, or all 256 bytes as tokens"
    ) { $0.options += #", "byte_fallback": true"# }
    expectError(
      .general,
      "t.json: model.byte_fallback: true without <0x00> in the vocabulary is not supported; "
        + "supported: false, or <0x00> to <0xFF> as tokens"
    ) {
      $0.options += #", "byte_fallback": true"#
      $0.preTokenizer = "null"
    }
    expectError(
      .damagedInput,
      "t.json: model.unk_token: \"<unk>\" is not in the vocabulary; "
        + "use the tokenizer.json that belongs to the checkpoint"
    ) { $0.options += #", "unk_token": "<unk>""# }
    expectError(
      .damagedInput,
      "t.json: model.fuse_unk: a boolean is expected, not a number; download the tokenizer again"
    ) { $0.options += #", "fuse_unk": 1"# }
  }

  @Test(arguments: [#""a""#, #""a b a""#, #"["a"]"#, #"["a", 1]"#, "7"])
  func malformedMerges(_ merge: String) {
    expectError(
      .damagedInput,
      #"t.json: model.merges[1]: a merge is two tokens, as "a b" or ["a", "b"]; download the tokenizer again"#
    ) { $0.merges = "[\"a b\", \(merge)]" }
  }

  @Test(arguments: [(#""c a""#, "c"), (#"["a", "c"]"#, "c"), (#""b a""#, "ba")])
  func mergesOfUnknownTokens(_ merge: String, _ token: String) {
    expectError(
      .damagedInput,
      "t.json: model.merges[0]: \"\(token)\" is not in the vocabulary; "
        + "use the tokenizer.json that belongs to the checkpoint"
    ) { $0.merges = "[\(merge)]" }
  }

  @Test func normalizers() {
    let supported =
      "supported: ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Strip, StripAccents, "
      + "Sequence, null"
    expectError(.general, "t.json: normalizer.normalizers[1]: BertNormalizer is not supported; \(supported)") {
      $0.normalizer = #"{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "BertNormalizer"}]}"#
    }
    expectError(
      .damagedInput, "t.json: normalizer.prepend: a string is expected, not null; download the tokenizer again"
    ) { $0.normalizer = #"{"type": "Prepend"}"# }
    expectError(
      .general,
      "t.json: normalizer.pattern: an empty string is not supported; supported: a string to look for"
    ) { $0.normalizer = #"{"type": "Replace", "pattern": {"String": ""}, "content": "a"}"# }
    expectError(
      .damagedInput,
      "t.json: normalizer.precompiled_charsmap: it is not base64; download the tokenizer again"
    ) { $0.normalizer = #"{"type": "Precompiled", "precompiled_charsmap": "?"}"# }
    for map in ["", "AAAA", "BAAAAA==", "AQAAAAA="] {
      expectError(
        .damagedInput,
        "t.json: normalizer.precompiled_charsmap: its length does not fit; download the tokenizer again"
      ) { $0.normalizer = "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"\(map)\"}" }
    }
    expectError(
      .damagedInput,
      "t.json: normalizer.precompiled_charsmap: its texts are not UTF-8; download the tokenizer again"
    ) { $0.normalizer = #"{"type": "Precompiled", "precompiled_charsmap": "AAAAAP8="}"# }
  }

  @Test func preTokenizers() {
    let supported =
      "supported: BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, Split, Whitespace, "
      + "WhitespaceSplit, Sequence, null"
    expectError(.general, "t.json: pre_tokenizer.pretokenizers[0]: UnicodeScripts is not supported; \(supported)") {
      $0.preTokenizer = #"{"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}, {"type": "ByteLevel"}]}"#
    }
    expectError(.general, "t.json: pre_tokenizer.delimiter: \"ab\" is not supported; supported: one character") {
      $0.preTokenizer = #"{"type": "CharDelimiterSplit", "delimiter": "ab"}"#
    }
    expectError(
      .damagedInput, "t.json: pre_tokenizer.type: a string is expected, not null; download the tokenizer again"
    ) { $0.preTokenizer = "{}" }
  }

  @Test func metaspaces() {
    expectError(.general, "t.json: pre_tokenizer.replacement: \"ab\" is not supported; supported: one character") {
      $0.preTokenizer = #"{"type": "Metaspace", "replacement": "ab"}"#
    }
    expectError(
      .general, "t.json: decoder.prepend_scheme: \"last\" is not supported; supported: always, first, never"
    ) { $0.decoder = #"{"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}"# }
    expectError(
      .general,
      "t.json: pre_tokenizer.prepend_scheme: first with add_prefix_space false is not supported; "
        + "supported: never with add_prefix_space false"
    ) {
      $0.preTokenizer =
        #"{"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "add_prefix_space": false}"#
    }
  }

  @Test func splits() {
    func split(_ members: String) -> (inout Parts) -> Void {
      { $0.preTokenizer = "{\"type\": \"Split\", \(members)}" }
    }
    expectError(
      .general,
      "t.json: pre_tokenizer.pattern: neither String nor Regex is not supported; supported: one of the two",
      split(#""pattern": {}, "behavior": "Isolated", "invert": false"#))
    expectError(
      .general,
      "t.json: pre_tokenizer.behavior: Gone is not supported; "
        + "supported: Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous",
      split(#""pattern": {"String": " "}, "behavior": "Gone", "invert": false"#))
  }

  @Test func postProcessors() {
    expectError(
      .general,
      "t.json: post_processor: Other is not supported; "
        + "supported: BertProcessing, ByteLevel, RobertaProcessing, TemplateProcessing, Sequence, null"
    ) { $0.postProcessor = #"{"type": "Other"}"# }
    expectError(
      .damagedInput,
      "t.json: post_processor.cls: a pair of a token and its id is expected, not an array; download the tokenizer again"
    ) { $0.postProcessor = #"{"type": "BertProcessing", "cls": ["<s>"], "sep": ["</s>", 1]}"# }
    expectError(
      .general, "t.json: post_processor.single: a template with the text 0 times is not supported; supported: once"
    ) { $0.postProcessor = #"{"type": "TemplateProcessing", "single": [], "special_tokens": {}}"# }
    expectError(
      .damagedInput,
      "t.json: post_processor.special_tokens.<s>.ids: an array is expected, not null; download the tokenizer again"
    ) {
      $0.postProcessor =
        #"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}], "special_tokens": {}}"#
    }
  }

  @Test func decoders() {
    let supported = "supported: ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Strip, Sequence"
    expectError(.general, "t.json: decoder: WordPiece is not supported; \(supported)") {
      $0.decoder = #"{"type": "WordPiece"}"#
    }
    expectError(
      .general,
      "t.json: decoder.pattern: this regular expression in a decoder is not supported; "
        + "supported: a string, or a run of one character (\\s+, X{2,})"
    ) { $0.decoder = #"{"type": "Replace", "pattern": {"Regex": "a|b"}, "content": ""}"# }
    expectError(.general, "t.json: decoder.content: \"ab\" is not supported; supported: one character") {
      $0.decoder = #"{"type": "Strip", "content": "ab", "start": 1, "stop": 0}"#
    }
    expectError(
      .damagedInput,
      "t.json: decoder.start: a count (0 to 1000) is expected, not a number; download the tokenizer again"
    ) { $0.decoder = #"{"type": "Strip", "content": " ", "start": -1, "stop": 0}"# }
  }

  @Test func addedTokens() {
    func token(_ content: String, _ id: Int) -> String {
      "{\"content\": \"\(content)\", \"id\": \(id), \"special\": true}"
    }
    expectError(
      .damagedInput, "t.json: added_tokens[0]: \"a\" has id 9 here and 0 in model.vocab; make the two agree"
    ) { $0.addedTokens = "[\(token("a", 9))]" }
    expectError(
      .damagedInput,
      "t.json: added_tokens[0]: \"<x>\" has id 1, which another token has too; download the tokenizer again"
    ) { $0.addedTokens = "[\(token("<x>", 1))]" }
    expectError(.damagedInput, "t.json: added_tokens[1]: \"<x>\" is listed twice; remove one of the two") {
      $0.addedTokens = "[\(token("<x>", 4)), \(token("<x>", 4))]"
    }
    expectError(
      .damagedInput,
      "t.json: added_tokens[0].id: a token id (0 to 16777215) is expected, not a number; download the tokenizer again"
    ) { $0.addedTokens = "[\(token("<x>", 1 << 24))]" }
  }
}
