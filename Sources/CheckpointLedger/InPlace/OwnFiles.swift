import Foundation
import Safetensors
import Tensors
import WeightPatch

/// Files that have other names too, or are symbolic links: whoever uses them there would see a change in place. They
/// are given copies of their own first (Spec: changes in place).
struct OwnFiles {
  /// The weight files that tensors lie in and that are not the checkpoint's alone, in order of name.
  let shared: [String]
  let byteCount: Int

  /// - Throws: an `ErrataError` if a file cannot be looked at.
  init(of tensors: [StoredTensor]) throws {
    shared = try Set(tensors.map(\.file.path)).sorted().filter { path in
      var status = stat()
      guard lstat(path, &status) == 0 else { throw ErrataError.system("read", path, errno) }
      return status.st_mode & S_IFMT != S_IFREG || status.st_nlink > 1
    }
    byteCount = try shared.reduce(0) { try $0 + fileSize($1) }
  }

  /// Puts a copy in the place of every shared file; the copies are on disk when this returns. The other names keep the
  /// file.
  ///
  /// - Parameters:
  ///   - checkpoint: is opened again, as the files are other ones now.
  ///   - lock: an exclusive one, which holds for a bare file's copy too afterwards.
  ///   - advance: is told now and then how many more bytes have come. May throw to stop; every file is then as it was,
  ///     or is a copy of what it was.
  /// - Throws: an `ErrataError` if a copy cannot be made.
  func make(
    for checkpoint: inout Checkpoint, _ location: LedgerLocation, _ lock: CheckpointLock,
    advance: (Int) throws -> Void = { _ in }
  ) throws {
    guard !shared.isEmpty else { return }
    let stage = try location.next.directory.makeTemporaryDirectory()
    defer { try? OwnContent.remove([stage]) }
    let copies = shared.indices.map { stage.appending("\($0)") }
    for (path, place) in zip(shared, copies) {
      try FileCopy(from: path, to: place, mode: .clone).run(advance: advance)
    }
    if checkpoint.directory == nil { try lock.extend(to: copies[0]) }
    for (path, copy) in zip(shared, copies) { try copy.rename(to: location.weightFile(path)) }
    try location.directory.synchronizeParent()
    checkpoint = try Checkpoint(path: checkpoint.path)
  }
}
