import Foundation
import Safetensors
import Tensors

/// Writes a tensor's new bytes to their place, a batch of chunks at a time: when what leads back from them is on disk.
final class InPlaceWriter {
  private let tensor: StoredTensor
  private let file: FileRegionWriter
  private let journal: FileRegionWriter
  private var journalByteCount = 0
  private var batch: [TensorTransition.Piece] = []
  private var batchByteCount = 0

  /// So large that waiting for the disk takes little of the time, and so small that memory is bounded.
  private static let batchByteCount = 4 << 20

  /// - Parameters:
  ///   - file: the tensor's.
  ///   - journal: the path of the records of its chunks, a file that is there and empty.
  init(_ tensor: StoredTensor, file: FileRegionWriter, journal: String) throws {
    self.tensor = tensor
    self.file = file
    self.journal = try FileRegionWriter(path: journal)
  }

  func write(_ piece: TensorTransition.Piece) throws {
    batch.append(piece)
    batchByteCount += piece.new.count
    if batchByteCount >= Self.batchByteCount { try flush() }
  }

  /// To be called after the last piece.
  func flush() throws {
    let records = batch.flatMap(ChunkRecord.serialized)
    try journal.write(records, at: journalByteCount)
    journalByteCount += records.count
    try journal.synchronize()
    for piece in batch {
      let place = tensor.info.fileRange.lowerBound + piece.offset
      try file.write(piece.new, at: place)
      file.startWriting(place..<place + piece.new.count)
    }
    batch = []
    batchByteCount = 0
  }
}
