;; What WebAssembly got since its second edition, in a command that succeeds if all of it works.
(component
  (core module $m
    (tag $thrown (param i32))
    (type $pair (struct (field i32) (field (ref null $pair))))
    (type $numbers (array (mut i64)))

    (func $throw (param i32) (throw $thrown (local.get 0)))
    (func $catch (result i32)
      (block $caught (result i32)
        (try_table (catch $thrown $caught) (call $throw (i32.const 42)))
        (i32.const 0)))

    ;; Many that hang together, of which most are dropped on the way.
    (func $collected (result i32)
      (local $i i32) (local $list (ref null $pair))
      (loop $again
        (local.set $list (struct.new $pair (local.get $i) (local.get $list)))
        (if (i32.eqz (i32.rem_u (local.get $i) (i32.const 10))) (then (local.set $list (ref.null $pair))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 10005))))
      (i32.add
        (struct.get $pair 0 (struct.get $pair 1 (local.get $list)))
        (array.len (array.new_default $numbers (i32.const 7)))))

    (func $count (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0))
        (then (i32.const 1))
        (else (return_call $count (i32.sub (local.get 0) (i32.const 1))))))

    (func $wide (result i64)
      (i64.add128 (i64.const -1) (i64.const 0) (i64.const 1) (i64.const 5)) ;; 2^64 - 1 + 1 + 5 * 2^64
      (i64.add))

    (func (export "run") (result i32)
      (i32.or (i32.or (i32.ne (call $catch) (i32.const 42))
                      (i32.ne (call $collected) (i32.const 10010)))
              (i32.or (i32.ne (call $count (i32.const 1000000)) (i32.const 1))
                      (i64.ne (call $wide) (i64.const 6))))))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
