import Safetensors
import Tensors
import WeightPatch

/// Writes tensors' new bytes to their places, a batch of chunks at a time: when what leads back from them is on disk.
final class InPlaceWriter {
  private let tensors: [StoredTensor]
  private let files: [String: FileRegionWriter]
  private let journal: FileRegionWriter
  private var journalByteCount = 0
  private var batch: [(tensor: Int, piece: TensorTransition.Piece)] = []
  private var batchByteCount = 0

  /// So large that waiting for the disk takes little of the time, also if tensors are small, and so small that memory
  /// is bounded.
  private static let batchByteCount = 4 << 20

  /// - Parameters:
  ///   - files: the tensors' files, by path.
  ///   - journal: takes the chunks' records; a file that is there and empty.
  init(_ tensors: [StoredTensor], files: [String: FileRegionWriter], journal: AnchoredPath) throws {
    self.tensors = tensors
    self.files = files
    self.journal = try FileRegionWriter(journal)
  }

  /// Takes the next piece of the tensor of a number.
  func write(_ piece: TensorTransition.Piece, of tensor: Int) throws {
    batch.append((tensor, piece))
    batchByteCount += piece.new.count
    if batchByteCount >= Self.batchByteCount { try flush() }
  }

  /// To be called after the last piece.
  func flush() throws {
    guard !batch.isEmpty else { return }
    let records = batch.flatMap { ChunkRecord.serialized($0.piece, tensor: $0.tensor) }
    try journal.write(records, at: journalByteCount)
    journalByteCount += records.count
    try journal.synchronize()
    for (index, piece) in batch {
      let tensor = tensors[index]
      let file = files[tensor.file.path]!
      let place = tensor.info.fileRange.lowerBound + piece.offset
      try file.write(piece.new, at: place)
      file.startWriting(place..<place + piece.new.count)
    }
    batch = []
    batchByteCount = 0
  }
}
