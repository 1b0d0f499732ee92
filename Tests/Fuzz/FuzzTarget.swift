import Foundation

/// What is fuzzed: readers of files that may come from anywhere. A reader may throw; whatever else it does to end the
/// process, a trap, a stack overflow, too much memory or time, is a bug.
///
/// The environment variable `ERRATA_FUZZ_TARGET` chooses one.
enum FuzzTarget: String, CaseIterable {
  /// A safetensors file.
  case safetensors
  /// The manifest's text.
  case manifest
  /// The frames of a patch: what is behind the magic frame and the seal, which are made to fit.
  case frames
  /// The content of a patch: a safetensors file, which is put into frames that fit.
  case content
  /// An undo record, and what it is decoded against.
  case undo
  /// A ledger.
  case ledger
  /// The journal of a change in place.
  case journal

  /// Reads `bytes`.
  ///
  /// - Throws: what the reader throws.
  func run(_ bytes: UnsafeRawBufferPointer) throws {
    switch self {
    case .safetensors: try readSafetensors(bytes)
    case .manifest: try readManifest(bytes)
    case .frames: try readFrames(bytes)
    case .content: try readContent(bytes)
    case .undo: try readUndoRecord(bytes)
    case .ledger: try readLedger(bytes)
    case .journal: try readJournal(bytes)
    }
  }

  static let chosen: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["ERRATA_FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
      let names = allCases.map(\.rawValue).joined(separator: ", ")
      FileHandle.standardError.write(Data("errata-fuzz: ERRATA_FUZZ_TARGET must be one of \(names)\n".utf8))
      exit(2)
    }
    return target
  }()
}

/// libFuzzer calls this once. With `ERRATA_FUZZ_SEEDS=FOLDER` the seeds of every target are written there, and that is
/// all.
@_cdecl("LLVMFuzzerInitialize")
public func initializeFuzzer(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
  guard let folder = ProcessInfo.processInfo.environment["ERRATA_FUZZ_SEEDS"] else { return 0 }
  do {
    try writeSeeds(to: folder)
    exit(0)
  } catch {
    FileHandle.standardError.write(Data("errata-fuzz: \(error)\n".utf8))
    exit(1)
  }
}

/// libFuzzer calls this with every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  try? FuzzTarget.chosen.run(UnsafeRawBufferPointer(start: start, count: count))
  return 0
}
