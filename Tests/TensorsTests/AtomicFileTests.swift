import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct AtomicFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func appearsWholeAtCommit() throws {
    let file = try AtomicFile(path: directory("x"))
    try file.write(Array("hello ".utf8))
    try file.write("world".utf8)
    #expect(file.byteCount == 11)
    #expect(!FileManager.default.fileExists(atPath: directory("x")))
    try file.commit()
    #expect(try directory.read("x") == Array("hello world".utf8))
    #expect(try directory.names == ["x"])
  }

  @Test func droppedWriterLeavesNothing() throws {
    try directory.write("old", to: "x")
    do {
      let file = try AtomicFile(path: directory("x"))
      try file.write(Array(repeating: 7, count: 3 << 20))
    }
    #expect(try directory.names == ["x"])
    #expect(try directory.read("x") == Array("old".utf8))
  }

  @Test func keepsASymbolicLinkAndReplacesItsFile() throws {
    try directory.write("old", to: "x")
    try FileManager.default.createSymbolicLink(atPath: directory("link"), withDestinationPath: directory("x"))
    try AtomicFile.write("new".utf8, to: directory("link"))
    #expect(try directory.read("x") == Array("new".utf8))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory("link")) == directory("x"))
  }

  @Test func refusesWhatIsNoFile() throws {
    #expect(throws: ErrataError(.general, "/dev/null: is not a regular file; give another output")) {
      try AtomicFile.write("x".utf8, to: "/dev/null")
    }
    #expect(throws: ErrataError(.general, "\(directory.path): is not a regular file; give another output")) {
      try AtomicFile.write("x".utf8, to: directory.path)
    }
  }

  @Test func replacesWhatIsThere() throws {
    try directory.write("old and longer", to: "x")
    try AtomicFile.write("new".utf8, to: directory("x"))
    #expect(try directory.read("x") == Array("new".utf8))
    try AtomicFile.write([], to: directory("x"))
    #expect(try directory.read("x") == [])
  }

  /// Pieces around the size of the buffer, which go through it, fill it or bypass it.
  @Test func keepsTheOrderOfPieces() throws {
    let file = try AtomicFile(path: directory("x"))
    var expected: [UInt8] = []
    for (index, size) in [1, (1 << 20) - 1, 1, 1 << 20, 0, 5, (1 << 20) + 3, (1 << 20) - 1, 2, 2 << 20, 9].enumerated()
    {
      let piece = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) }
      expected += piece
      try file.write(piece)
    }
    try file.commit()
    #expect(file.byteCount == expected.count)
    #expect(try directory.read("x") == expected)
  }

  @Test func permissionsFollowTheMask() throws {
    // The mask is the process's, and other tests run beside this one: it is only read.
    let mask = umask(0)
    umask(mask)
    try AtomicFile.write("x".utf8, to: directory("x"))
    let attributes = try FileManager.default.attributesOfItem(atPath: directory("x"))
    #expect(attributes[.posixPermissions] as? Int == Int(0o666 & ~mask))
  }

  @Test(arguments: ["e\u{301}", "\u{E9}", "a b%41#?;&", "~", "ä\n", "-"]) func unusualNames(name: String) throws {
    try FileManager.default.createDirectory(atPath: directory(name), withIntermediateDirectories: false)
    let path = directory(name) + "/" + name
    try AtomicFile.write("x".utf8, to: path)
    // Straight to the system: Foundation may rewrite a name before it looks.
    #expect(access(path, R_OK) == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory(name)).count == 1)
  }

  @Test func errorsNameThePath() throws {
    let missing = directory("none/x")
    let noDirectory = ErrataError(.general, "\(missing): cannot write: no such file or directory")
    #expect(throws: noDirectory) { try AtomicFile(path: missing) }
    try FileManager.default.createDirectory(atPath: directory("folder"), withIntermediateDirectories: false)
    let folder = directory("folder")
    let isFolder = ErrataError(.general, "\(folder): is not a regular file; give another output")
    #expect(throws: isFolder) { try AtomicFile.write("x".utf8, to: folder) }
    #expect(try directory.names == ["folder"])
    let gone = ErrataError(.general, "\(missing): cannot open: no such file or directory")
    #expect(throws: gone) { try synchronizeDirectory(missing) }
  }
}
