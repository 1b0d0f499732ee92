import Foundation
import Safetensors
import Tensors
import WeightPatch

extension StatePlan {
  /// Writes the checkpoint in its new state beside the old one, which is left as it is.
  ///
  /// Files without edited tensors are cloned or copied; in those with edited tensors every other byte stays. The output
  /// appears whole or not at all.
  ///
  /// - Parameter output: a directory that is not there or is empty; for a bare file, a file that is not there.
  /// - Throws: an `ErrataError` if the base that the undo records give is not the base, if the result is not what the
  ///   patch says, if a value overflows, or if the output cannot be written.
  @discardableResult
  public func write(to output: String, options: WriteOptions = WriteOptions()) throws -> StateReport {
    let checkpoint = state.checkpoint
    let stage = try OutputStage(
      destination: output, source: checkpoint.path, isDirectory: checkpoint.directory != nil)
    do {
      return try write(to: stage, options)
    } catch let error as ErrataError {
      throw stage.renamed(error)
    }
  }

  private func write(to stage: OutputStage, _ options: WriteOptions) throws -> StateReport {
    let checkpoint = state.checkpoint
    let tensors = try changedTensors.map { try checkpoint.tensor(named: $0) }
    let files = try checkpoint.files(followsLinks: options.followsLinks)
    let total = files.reduce(0) { $0 + $1.byteCount } + tensors.reduce(0) { $0 + $1.info.byteCount }
    var done = 0
    func advance(_ count: Int) throws {
      done += count
      try options.progress(done, total)
    }

    let folders = checkpoint.directory == nil ? [] : Self.folders(of: files).map(stage.path)
    for folder in folders { try folder.makeDirectory() }
    // The edited tensors' bytes are not copied, but written when they have been computed.
    let edited = Dictionary(grouping: tensors) { fileName(of: $0.file.path) }.mapValues { tensors in
      tensors.map(\.info.fileRange).sorted { $0.lowerBound < $1.lowerBound }
    }
    let jobs = try files.map { file in
      let destination = stage.path(of: file.name)
      guard let ranges = edited[file.name] else {
        return BackgroundCopy.Job(open: { [mode = options.copyMode] in
          try FileCopy(from: file.path, identity: file.identity, to: destination, mode: mode)
        })
      }
      let copy = try FileCopy(from: file.path, identity: file.identity, to: destination, mode: .clone)
      return BackgroundCopy.Job(open: { copy }, exceptions: ranges)
    }
    var background: BackgroundCopy?
    if files.reduce(0, { $0 + $1.byteCount }) >= options.backgroundByteCount {
      background = BackgroundCopy(jobs)
    } else {
      for job in jobs {
        let copy = try job.open()
        try copy.run(except: job.exceptions)
        try advance(copy.byteCount)
      }
    }
    // Before the stage is removed, if anything fails.
    defer { background?.cancel() }
    try prepareLedger(at: stage.ledger)

    let writers = try Dictionary(
      uniqueKeysWithValues: edited.keys.sorted().map { ($0, try FileRegionWriter(stage.path(of: $0))) })
    let reports = try transform(tensors, ledger: stage.ledger) { index, piece in
      let tensor = tensors[index]
      try writers[fileName(of: tensor.file.path)]!.write(piece.new, at: tensor.info.fileRange.lowerBound + piece.offset)
      try advance(piece.new.count + (background?.takeProgress() ?? 0))
    }
    try background?.finish(advance: advance)
    // The stage's own entries are flushed when it is committed.
    for folder in folders { try folder.synchronizeDirectory() }
    for writer in writers.values { try writer.synchronize() }
    let report = try finishLedger(at: stage.ledger, reports)
    try stage.commit()
    return report
  }

  /// The subdirectories that files are in, each after the one that it is in.
  private static func folders(of files: [CheckpointFile]) -> [String] {
    var folders: Set<String> = []
    for file in files {
      var names = file.name.split(separator: "/").dropLast()
      while !names.isEmpty, folders.insert(names.joined(separator: "/")).inserted { names.removeLast() }
    }
    return folders.sorted()
  }
}
