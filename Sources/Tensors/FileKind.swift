import Foundation

/// What a file is, by its content: so that a message can say what was given in place of what is needed.
package enum FileKind: Sendable, Equatable {
  case safetensors
  case patch
  /// What Git leaves in the place of a large file that it has not fetched.
  case lfsPointer
  case gguf
  case pytorch
  case numpyArchive
  case numpyArray
  case hdf5
  case webPage
  /// A packed or compressed file, with the program's name.
  case packed(String)

  /// How much of a file is looked at.
  private static let prefixByteCount = 512

  /// How a patch begins, behind the eight bytes of its first frame's header (Spec: frame layout).
  package static let patchText = "errata wpatch "

  /// - Returns: nil if the bytes, a whole file, are nothing that is known.
  package init?(of bytes: UnsafeRawBufferPointer) {
    let start = Array(bytes.prefix(Self.prefixByteCount))
    func begins(_ text: String, at offset: Int = 0) -> Bool { start.dropFirst(offset).starts(with: text.utf8) }
    func begins(_ magic: [UInt8]) -> Bool { start.starts(with: magic) }
    if begins(Self.patchText, at: 8) {
      self = .patch
    } else if start.count > 8, start[8] == UInt8(ascii: "{"), start[4..<8].allSatisfy({ $0 == 0 }), start[3] < 0x10 {
      // The header's length is far below 2^28.
      self = .safetensors
    } else if begins("version https://git-lfs.github.com/spec/") {
      self = .lfsPointer
    } else if begins("GGUF") {
      self = .gguf
    } else if begins("PK\u{3}\u{4}"), start.count > 30 {
      let name = start[30...].prefix(Int(start[26]) | Int(start[27]) << 8)
      let isArray = name.suffix(4).elementsEqual(".npy".utf8)
      let isModel = name.suffix(8).elementsEqual("data.pkl".utf8)
      self = isArray ? .numpyArchive : isModel ? .pytorch : .packed("zip")
    } else if start.count > 2, start[0] == 0x80, (2...5).contains(start[1]) {
      self = .pytorch
    } else if begins([0x93] + Array("NUMPY".utf8)) {
      self = .numpyArray
    } else if begins([0x89] + Array("HDF\r\n".utf8)) {
      self = .hdf5
    } else if let program = Self.packers.first(where: { begins($0.magic) })?.program {
      self = .packed(program)
    } else if begins("ustar", at: 257) {
      self = .packed("tar")
    } else if Self.isWebPage(start) {
      self = .webPage
    } else {
      return nil
    }
  }

  /// The kind of the file at a path; nil also if it cannot be read, or is a pipe, from which nothing may be taken.
  package init?(path: String) {
    guard let file = try? MappedFile(path: path) else { return nil }
    guard let kind = withExtendedLifetime(file, { FileKind(of: file.bytes) }) else { return nil }
    self = kind
  }

  private static let packers: [(magic: [UInt8], program: String)] = [
    ([0x1F, 0x8B], "gzip"), ([0xFD] + Array("7zXZ".utf8), "xz"), (Array("BZh".utf8), "bzip2"),
    (Array("7z".utf8) + [0xBC, 0xAF], "7z"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd"),
  ]

  private static func isWebPage(_ start: [UInt8]) -> Bool {
    let text = String(decoding: start, as: UTF8.self).drop { $0.isWhitespace || $0 == "\u{FEFF}" }.lowercased()
    return ["<!doctype html", "<html", "<head", "<?xml"].contains { text.hasPrefix($0) }
  }

  /// Whether every line feed of a file comes after a carriage return, as a transfer that took it for text leaves it. In
  /// a binary file, one in 256 does.
  package static func isTextModeCopy(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.prefix(prefixByteCount).contains(0) else { return false }  // it is text
    var feeds = 0
    let carriageReturn = UInt8(ascii: "\r")
    let lineFeed = UInt8(ascii: "\n")
    for index in bytes.prefix(4 << 20).indices where bytes[index] == lineFeed {
      guard index > 0, bytes[index - 1] == carriageReturn else { return false }
      feeds += 1
    }
    return feeds >= 3
  }
}

extension ErrataError {
  /// What is the matter with a file that cannot be read as what is wanted, if its content shows it.
  ///
  /// - Parameters:
  ///   - bytes: all of the file.
  ///   - wanted: what it should be: "a patch".
  package static func recognized(
    _ path: String, _ bytes: UnsafeRawBufferPointer, wanted: String
  ) -> ErrataError? {
    let kind = FileKind(of: bytes)
    let isText = FileKind.isTextModeCopy(bytes)
    let (noun, remedy): (String, String)
    switch kind {
    case .lfsPointer:
      return ErrataError.lfsPointer(path)
    case .safetensors where wanted != FileKind.safetensorsNoun && !isText:
      (noun, remedy) = (FileKind.safetensorsNoun, "check what was named, and in which order")
    case .patch where wanted != FileKind.patchNoun && !isText:
      (noun, remedy) = (FileKind.patchNoun, "check what was named, and in which order")
    case .gguf:
      (noun, remedy) = (
        "a GGUF file",
        "use the safetensors checkpoint that it was made from, and serve this one with an adapter ('errata export "
          + "--to gguf')"
      )
    case .pytorch: (noun, remedy) = ("a PyTorch file (pickle)", "convert it to safetensors first")
    case .numpyArchive: (noun, remedy) = ("a NumPy archive (.npz)", "import or convert it first")
    case .numpyArray: (noun, remedy) = ("a NumPy array (.npy)", "import or convert it first")
    case .hdf5: (noun, remedy) = ("an HDF5 file (TensorFlow)", "convert it to safetensors first")
    case .webPage: (noun, remedy) = ("a web page", "download the file itself")
    case .packed(let program): (noun, remedy) = ("packed (\(program))", "unpack it first")
    case .safetensors, .patch, nil:
      guard isText else { return nil }
      return ErrataError.damagedAsText(path)
    }
    return ErrataError.wrongKind(path, noun, wanted: wanted, remedy: .advice(remedy))
  }

  /// A link that leads nowhere, as in a cache of which only a part was copied.
  package static func danglingLink(_ path: String) -> ErrataError? {
    guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path),
      !FileManager.default.fileExists(atPath: path)
    else { return nil }
    return ErrataError.danglingLink(path, to: target)
  }
}

extension FileKind {
  package static let safetensorsNoun = "a safetensors file"
  package static let patchNoun = "a patch"
}
