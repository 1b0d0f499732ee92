import CPCRE2
import Tensors

/// A regular expression of a `tokenizer.json`, matched by PCRE2 with its just-in-time compiler.
///
/// The files are written for Oniguruma, whose syntax differs; `OnigurumaSyntax` translates. Matching is bounded: an
/// expression that backtracks without end is an error after `matchLimit` steps, as it is in Oniguruma, and takes no
/// more than `heapLimit` of memory.
final class RegularExpression: @unchecked Sendable {
  /// Longer expressions are refused. The longest in known files has 500 bytes.
  static let maximumLength = 1 << 15
  /// Steps from one place of a text: Oniguruma's own limit.
  static let matchLimit: UInt32 = 10_000_000
  /// In KiB, for texts that need more than the stack of the compiled code.
  private static let heapLimit: UInt32 = 1 << 18

  private let source: Section
  private let text: ByteString
  /// Not changed after `init`; PCRE2 lets several threads match with one.
  private let code: OpaquePointer
  private let context: OpaquePointer

  /// - Parameter source: the string with the expression, whose name is part of messages.
  /// - Throws: an `ErrataError` if it is no regular expression, or one that is not supported.
  init(_ source: Section) throws {
    self.source = source
    self.text = try source.bytes()
    let text = try source.string()
    guard text.utf8.count <= Self.maximumLength else {
      throw source.unsupported(
        "a regular expression of \(text.utf8.count) bytes", supported: "up to \(Self.maximumLength)")
    }
    let translation: String
    do {
      translation = try OnigurumaSyntax.translate(text)
    } catch {
      throw error.isUnsupported
        ? source.unsupported("\(error.reason) in \(shortened(self.text))", supported: Self.supported)
        : .malformedPattern(file: source.file, field: source.name, pattern: ByteString(text), reason: error.reason)
    }
    code = try Self.compile(translation, source)
    context = pcre2_match_context_create_8(nil)
    pcre2_set_match_limit_8(context, Self.matchLimit)
    pcre2_set_heap_limit_8(context, Self.heapLimit)
    // Without the compiled code (a hardened kernel, another processor) the matches are the same, and slower.
    _ = pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
  }

  deinit {
    pcre2_match_context_free_8(context)
    pcre2_code_free_8(code)
  }

  private static let supported = "the syntax that Oniguruma and PCRE2 share"

  private static func compile(_ pattern: String, _ source: Section) throws -> OpaquePointer {
    let context = pcre2_compile_context_create_8(nil)
    defer { pcre2_compile_context_free_8(context) }
    pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
    pcre2_set_bsr_8(context, UInt32(PCRE2_BSR_UNICODE))
    // Oniguruma's "^" and "$" are those of lines.
    let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP) | UInt32(PCRE2_MULTILINE) | UInt32(PCRE2_NEVER_BACKSLASH_C)
    var status: Int32 = 0
    var offset = 0
    let bytes = Array(pattern.utf8)
    if let code = pcre2_compile_8(bytes, bytes.count, options, &status, &offset, context) { return code }
    var message = [UInt8](repeating: 0, count: 256)
    pcre2_get_error_message_8(status, &message, message.count)
    let reason = String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
    throw source.unsupported("\(shortened(try source.bytes())) (\(reason))", supported: supported)
  }

  /// The matches in `bytes`, from left to right, without overlap. An empty match does not directly follow another.
  ///
  /// - Parameter bytes: well-formed UTF-8.
  /// - Throws: an `ErrataError` if a limit is reached.
  func matches(in bytes: UnsafeBufferPointer<UInt8>) throws(ErrataError) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    guard !bytes.isEmpty else { return matches }
    let data = pcre2_match_data_create_8(1, nil)
    defer { pcre2_match_data_free_8(data) }
    let bounds = pcre2_get_ovector_pointer_8(data)!
    var position = 0
    while position <= bytes.count {
      let status = match(bytes, from: position, data)
      if status == PCRE2_ERROR_NOMATCH { break }
      // "\K" can put a match's beginning after its end.
      guard status >= 0, bounds[0] <= bounds[1] else {
        throw ErrataError.patternWithoutEnd(
          file: source.file, field: source.name, pattern: text, byteCount: bytes.count)
      }
      let match = bounds[0]..<bounds[1]
      if match.isEmpty, match.upperBound == matches.last?.upperBound {
        position += position < bytes.count ? bytes[position].characterLength : 1
      } else {
        matches.append(match)
        position = match.upperBound
      }
    }
    return matches
  }

  private func match(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, _ data: OpaquePointer?) -> Int32 {
    let options = UInt32(PCRE2_NO_UTF_CHECK)
    let status = pcre2_match_8(code, bytes.baseAddress, bytes.count, start, options, data, context)
    // The compiled code has a stack of 32 KiB; what needs more is interpreted.
    guard status == PCRE2_ERROR_JIT_STACKLIMIT else { return status }
    return pcre2_match_8(
      code, bytes.baseAddress, bytes.count, start, options | UInt32(PCRE2_NO_JIT), data, context)
  }
}
