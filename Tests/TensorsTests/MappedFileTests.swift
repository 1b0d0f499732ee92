import Dispatch
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct MappedFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func mapsTheWholeFile() throws {
    try directory.write("abc", to: "x")
    let file = try MappedFile(path: directory("x"))
    #expect(withExtendedLifetime(file) { Array(file.bytes) } == Array("abc".utf8))
    try directory.write("", to: "empty")
    #expect(try MappedFile(path: directory("empty")).bytes.isEmpty)
  }

  @Test func keepsAFileThatIsReplaced() throws {
    try directory.write("old", to: "x")
    let file = try MappedFile(path: directory("x"))
    try AtomicFile.write("new".utf8, to: directory("x"))
    #expect(withExtendedLifetime(file) { Array(file.bytes) } == Array("old".utf8))
  }

  @Test func errorsNameThePath() throws {
    let missing = directory("none")
    let noFile = ErrataError(.general, "\(missing): cannot open: no such file or directory")
    #expect(throws: noFile) { try MappedFile(path: missing) }
    let folder = directory.path
    let isFolder = ErrataError(.general, "\(folder): is not a regular file")
    #expect(throws: isFolder) { try MappedFile(path: folder) }
  }

  /// Opening a pipe without a writer waits for one: a tool given such a path must not hang.
  @Test func refusesAPipeWithoutWaiting() throws {
    let path = directory("pipe")
    #expect(mkfifo(path, 0o600) == 0)
    let opened = DispatchSemaphore(value: 0)
    DispatchQueue.global().async {
      let error = ErrataError(.general, "\(path): is not a regular file")
      #expect(throws: error) { try MappedFile(path: path) }
      opened.signal()
    }
    let result = opened.wait(timeout: .now() + 5)
    #expect(result == .success)
    if result == .timedOut {
      close(open(path, O_WRONLY | O_NONBLOCK))
      opened.wait()
    }
  }
}
