import Tensors
import Tokenization

/// A corpus as sequences of tokens, one after the other, without padding: documents and paragraphs are packed, and a
/// sequence ends where it is full.
struct CorpusTokens: Sequence {
  let corpus: Corpus
  let tokenizer: Tokenizer
  let sequenceLength: Int

  func makeIterator() -> Iterator {
    Iterator(tokens: self)
  }

  struct Iterator: IteratorProtocol {
    private let tokens: CorpusTokens
    private var fileIndex = 0
    private var offset = 0
    /// Of the present file, from 1.
    private var line = 1
    private var pending: [Int32] = []

    init(tokens: CorpusTokens) {
      self.tokens = tokens
    }

    /// The next full sequence, or why there is none; nil at the end. A rest that fills no sequence is left out.
    mutating func next() -> Result<[Int32], ErrataError>? {
      while pending.count < tokens.sequenceLength {
        do {
          guard let piece = try nextPiece() else { return nil }
          // A document begins as a text does: nothing of the one before it tells how it is split.
          pending += try tokens.tokenizer.encode(piece.text, isContinuation: piece.isContinuation)
        } catch {
          return .failure(error)
        }
      }
      let sequence = Array(pending.prefix(tokens.sequenceLength))
      pending.removeFirst(tokens.sequenceLength)
      return .success(sequence)
    }

    private mutating func nextPiece() throws(ErrataError) -> (text: String, isContinuation: Bool)? {
      let files = tokens.corpus.files
      while fileIndex < files.count {
        let file = files[fileIndex].file
        if offset < file.bytes.count {
          switch files[fileIndex].form {
          case .plainText:
            let isContinuation = offset > 0
            return (try nextLines(of: file), isContinuation)
          case .jsonLines(let field):
            if let text = try nextDocument(of: file, field: field) { return (text, false) }
          }
        } else {
          (fileIndex, offset, line) = (fileIndex + 1, 0, 1)
        }
      }
      return nil
    }

    /// A piece of text that ends with a line, so that no word is torn.
    private mutating func nextLines(of file: MappedFile) throws(ErrataError) -> String {
      let bytes = file.bytes
      var end = Swift.min(offset + 1 << 16, bytes.count)
      while end < bytes.count, bytes[end - 1] != UInt8(ascii: "\n") { end += 1 }
      let piece = UnsafeRawBufferPointer(rebasing: bytes[offset..<end])
      guard let text = String(validating: piece, as: UTF8.self) else {
        let lines = piece.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }!
        throw ErrataError.corpusNotText(file.path, line: line + bad)
      }
      line += piece.count { $0 == UInt8(ascii: "\n") }
      offset = end
      return text
    }

    /// The text of the next line; nil if the line is blank.
    private mutating func nextDocument(of file: MappedFile, field: String) throws(ErrataError) -> String? {
      let rest = file.bytes[offset...]
      let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
      let bytes = UnsafeRawBufferPointer(rebasing: rest[..<end])
      defer { (offset, line) = (end + 1, line + 1) }
      if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return nil }
      let json: JSON
      do {
        json = try JSON.parse(bytes, maximumValueCount: 1 << 20)
      } catch {
        throw ErrataError.corpusLineNotJSON(file.path, line: line, "\(error.reason) at byte \(error.offset)")
      }
      guard let text = json[ByteString(field)]?.stringValue else {
        throw ErrataError.corpusLineWithoutText(file.path, line: line, field: field)
      }
      return text
    }
  }
}
