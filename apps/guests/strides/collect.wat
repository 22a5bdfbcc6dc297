;; As many objects as an instance may have, which are dropped at once, and collected.
(component
  (core module $m
    (type $pair (struct (field i32) (field (ref null $pair))))
    (func $fill (result (ref null $pair))
      (local $i i32) (local $list (ref null $pair))
      (loop $again
        (local.set $list (struct.new $pair (local.get $i) (local.get $list)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 500000))))
      (local.get $list))
    (func $run (export "run") (result i32)
      (local $i i32) (local $n i32)
      (loop $again
        (drop (call $fill))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 8))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
