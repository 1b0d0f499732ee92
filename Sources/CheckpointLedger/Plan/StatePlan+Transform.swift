import Foundation
import Safetensors
import Tensors
import WeightPatch

/// What writing beside the source and writing in place have in common.
extension StatePlan {
  /// Does everything but write: recovers and checks the base of every tensor that changes, computes it anew, and checks
  /// the result.
  ///
  /// - Parameters:
  ///   - output: where `write` would write to; nil if that is not to be looked at.
  ///   - followsLinks: as `write` would.
  ///   - progress: is told how many bytes are done, of how many. May throw to stop.
  /// - Throws: an `ErrataError` if `write` would throw one, but for what cannot be known before, such as a full disk.
  public func rehearse(
    to output: String? = nil, followsLinks: Bool = false,
    progress: @escaping (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    if let output {
      let checkpoint = state.checkpoint
      _ = try OutputDestination(path: output, source: checkpoint.path, isDirectory: checkpoint.directory != nil)
      _ = try checkpoint.files(followsLinks: followsLinks)
    }
    let tensors = try changedTensors.map { try state.checkpoint.tensor(named: $0) }
    let total = tensors.reduce(0) { $0 + $1.info.byteCount }
    var done = 0
    _ = try transform(tensors, ledger: nil) { _, piece in
      done += piece.new.count
      try progress(done, total)
    }
  }

  /// The bytes that one of `changedTensors` will have, checked as `write` checks them. Nothing is written.
  ///
  /// - Throws: an `ErrataError` if the base is not what it should be, or if the result cannot be computed or is not
  ///   what it should be.
  public func result(of name: ByteString) throws -> [UInt8] {
    let tensor = try state.checkpoint.tensor(named: name)
    var result: [UInt8] = []
    result.reserveCapacity(tensor.info.byteCount)
    _ = try transform([tensor], ledger: nil) { _, piece in result += piece.new }
    return result
  }

  /// The same for who has the base at hand: what leads back to it is not read again.
  ///
  /// - Parameter base: the tensor's bytes without any patch.
  package func result(of name: ByteString, onBase base: UnsafeRawBufferPointer) throws -> [UInt8] {
    let tensor = try state.checkpoint.tensor(named: name)
    let factors = try batches.factors(of: name)
    let result: [UInt8]
    do {
      result = try tensor.applying(factors, base: base)
    } catch let error as ErrataError {
      throw ErrataError.exactApply(error, of: patchNames(editing: name), to: state.checkpoint.path)
    }
    if expectedResult != nil {
      try checkResult(of: name, Digest(tensorOf: tensor.dtype, shape: tensor.shape, bytes: result))
    }
    return result
  }

  /// Computes tensors anew, and checks the results. What it calls, it calls on one other thread.
  ///
  /// - Parameters:
  ///   - ledger: takes the undo records; none are made if this is nil.
  ///   - write: takes the pieces of the tensor of a number in order; also when the next one has begun.
  /// - Returns: what happened, in the order of the tensors.
  func transform(
    _ tensors: [StoredTensor], ledger: LedgerLocation?, write: @escaping (Int, TensorTransition.Piece) throws -> Void
  ) throws -> [StateReport.TensorReport] {
    var reports: [StateReport.TensorReport] = []
    let pipeline = TransitionPipeline()
    // Nothing is called any more when this returns or throws.
    defer { pipeline.wait() }
    func lane(_ index: Int, _ transition: TensorTransition) -> TransitionPipeline.Lane {
      let name = transition.tensor.name
      let output = TransitionOutput(transition, recordPath: ledger?.undoRecord(of: name)) { try write(index, $0) }
      return TransitionPipeline.Lane(transition: transition, output: output) { [self] after in
        try checkResult(of: name, after)
        reports.append(
          StateReport.TensorReport(
            name: name, byteCount: transition.tensor.info.byteCount, base: transition.base, before: digestBefore(name),
            after: after))
      }
    }
    let groups = groups(of: tensors)
    var prepared: [TensorTransition]?
    for (number, group) in groups.enumerated() {
      let transitions = try prepared ?? Threads.map(group) { try transition(of: tensors[$0]) }
      prepared = nil
      // The next ones' factors are read meanwhile, if they are small: what is in memory is to remain so.
      let next = number + 1 < groups.count ? groups[number + 1] : 0..<0
      func prepare() throws {
        guard !next.isEmpty, areSmall(tensors[next]) else { return }
        prepared = try next.map { try transition(of: tensors[$0]) }
      }
      let lanes = zip(group, transitions).map { lane($0, $1) }
      if transitions.allSatisfy({ $0.chunks == transitions[0].chunks }) {
        try pipeline.run(lanes, beside: prepare)
      } else {
        for lane in lanes { try pipeline.run([lane]) }
      }
    }
    try pipeline.drain()
    return reports
  }

  /// The tensors that are changed side by side: a few of one shape, if their factors are small.
  private func groups(of tensors: [StoredTensor]) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    for (index, tensor) in tensors.enumerated() {
      if let last = groups.last, last.count < DigestHasher.messagesAtOnce, areSmall(tensors[last.lowerBound...index]),
        tensors[last.lowerBound].shape == tensor.shape
      {
        groups[groups.count - 1] = last.lowerBound..<index + 1
      } else {
        groups.append(index..<index + 1)
      }
    }
    return groups
  }

  /// Whether the factors for some tensors take little memory.
  private func areSmall(_ tensors: ArraySlice<StoredTensor>) -> Bool {
    tensors.reduce(0) { sum, tensor in
      sum + state.batches.factorByteCount(of: tensor.name) + batches.factorByteCount(of: tensor.name)
    } <= 32 << 20
  }

  private func transition(of tensor: StoredTensor) throws -> TensorTransition {
    let old = try state.batches.members(editing: tensor.name).map { ($0.digest, try $0.factors(of: tensor.name)) }
    // What both sets have is read once.
    let known = Dictionary(uniqueKeysWithValues: old)
    let new = try batches.members(editing: tensor.name).map { try known[$0.digest] ?? $0.factors(of: tensor.name) }
    return try TensorTransition(
      tensor, from: old.map(\.1), to: new, base: baseDigests[tensor.name]!, location: state.location
    ) { [self] in
      ErrataError.exactApply($0, of: patchNames(editing: tensor.name), to: state.checkpoint.path)
    }
  }

  /// What the patches that edit a tensor are called in messages: new ones by their paths, others as the ledger does.
  private func patchNames(editing tensor: ByteString) -> [String] {
    zip(patches, entries).filter { $0.0.manifest.base.tensors[tensor] != nil }.map { file, entry in
      applied.contains { $0.identifier == file.identifier } ? file.path : entry.description
    }
  }

  /// A changed tensor's digest before the change.
  func digestBefore(_ name: ByteString) -> Digest { state.ledger.tensors[name]?.current ?? baseDigests[name]! }

  private func checkResult(of name: ByteString, _ found: Digest) throws {
    guard let expectedResult, let expected = expectedResult.digests[name], expected != found else { return }
    throw ErrataError.resultDiffers(
      expectedResult.source, DigestMismatch(tensor: name, expected: expected, found: found))
  }

  /// Makes the ledger's folders, with the patches, which are on disk when this returns, and with the undo records of
  /// the tensors that stay as they are.
  func prepareLedger(at location: LedgerLocation) throws {
    guard !entries.isEmpty else { return }
    if try !location.directory.isDirectory() { try location.directory.makeDirectory() }
    try location.patches.makeDirectory()
    try location.undoRecords.makeDirectory()
    for file in patches {
      try file.reader.writeCopy(to: location.patch(file.identifier), signatures: file.signatures)
    }
    for name in batches.tensors.subtracting(changedTensors).sorted() {
      try FileCopy(from: state.location.undoRecord(of: name), to: location.undoRecord(of: name)).runUnsynchronized()
    }
    try patches.map { location.patch($0.identifier) }.synchronizeFiles()
    try location.patches.synchronizeDirectory()
  }

  /// Writes what the ledger now says; where no patch remains, there is none.
  func finishLedger(
    at location: LedgerLocation, _ reports: [StateReport.TensorReport]
  ) throws -> StateReport {
    let edited = batches.tensors
    var tensors = state.ledger.tensors.filter { edited.contains($0.key) }
    for report in reports where edited.contains(report.name) {
      tensors[report.name] = Ledger.TensorState(base: report.base, current: report.after)
    }
    if !entries.isEmpty {
      let ledger = Ledger(patches: entries, tensors: tensors)
      try edited.sorted().map(location.undoRecord).synchronizeFiles()
      try location.undoRecords.synchronizeDirectory()
      try location.manifest.write(ledger.serialized())
    }
    return StateReport(
      tensors: reports, undoByteCount: try edited.reduce(0) { try $0 + location.undoRecord(of: $1).byteCount() },
      editedByteCount: try edited.reduce(0) { try $0 + state.checkpoint.tensor(named: $1).info.byteCount })
  }
}
