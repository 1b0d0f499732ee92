import TestSupport
import Testing

@testable import Tensors

@Suite struct HubCacheTests {
  @Test(arguments: ["org/model", "gpt2", "Qwen/Qwen2.5-Coder-0.5B-Instruct", "a_b/c.d-e"]) func names(_ name: String) {
    #expect(HubCache.isName(name))
  }

  @Test(arguments: [
    "", "/model", "org/", "a/b/c", "./model", "../model", "org/..", "a--b/c", "org/model.safetensors", "-a/b", "a/b-",
    "org/mo del", "org/m\u{e9}",
  ]) func paths(_ path: String) {
    #expect(!HubCache.isName(path))
  }

  @Test func snapshots() {
    let commit = "0123456789abcdef0123456789abcdef01234567"
    #expect(HubCache.model(ofSnapshot: "/c/models--org--name-1.5/snapshots/\(commit)") == "org/name-1.5")
    #expect(HubCache.model(ofSnapshot: "/c/models--gpt2/snapshots/\(commit)/") == "gpt2")
    for path in ["/c/models--org--name", "/c/datasets--org--name/snapshots/x", "model", "/"] {
      #expect(HubCache.model(ofSnapshot: path) == nil)
    }
  }
}
