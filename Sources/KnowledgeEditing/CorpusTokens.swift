import Tensors
import Tokenizers

/// A text file as sequences of tokens, one after the other, without padding: paragraphs are packed, and a sequence ends
/// where it is full.
struct CorpusTokens: Sequence {
  let file: MappedFile
  let tokenizer: Tokenizer
  let sequenceLength: Int

  func makeIterator() -> Iterator {
    Iterator(corpus: self)
  }

  struct Iterator: IteratorProtocol {
    private let corpus: CorpusTokens
    private var offset = 0
    private var pending: [Int32] = []
    private var error: ErrataError?

    init(corpus: CorpusTokens) {
      self.corpus = corpus
    }

    /// The next full sequence, or why there is none; nil at the end. A rest that fills no sequence is left out.
    mutating func next() -> Result<[Int32], ErrataError>? {
      while pending.count < corpus.sequenceLength {
        do {
          let isContinuation = offset > 0
          guard let piece = try nextPiece() else { return nil }
          pending += corpus.tokenizer.encode(piece, isContinuation: isContinuation)
        } catch {
          return .failure(error)
        }
      }
      let sequence = Array(pending.prefix(corpus.sequenceLength))
      pending.removeFirst(corpus.sequenceLength)
      return .success(sequence)
    }

    /// A piece of text that ends with a line, so that no word is torn.
    private mutating func nextPiece() throws(ErrataError) -> String? {
      let bytes = corpus.file.bytes
      guard offset < bytes.count else { return nil }
      var end = Swift.min(offset + 1 << 16, bytes.count)
      while end < bytes.count, bytes[end - 1] != UInt8(ascii: "\n") { end += 1 }
      let piece = Array(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
      guard let text = String(validating: piece, as: UTF8.self) else {
        throw ErrataError.corpusNotText(corpus.file.path, offset)
      }
      offset = end
      return text
    }
  }
}
