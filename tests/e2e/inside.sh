# Sourced first by tests that do what a document says where it says it: on fixed ports, in the tree, in the machine's folders.
# It moves the script into a network of its own, with nobody else on any port, and lays a layer over the tree (and over what
# LAYERS names) that takes all that is written and is gone at the end. Where that is not possible, the test is skipped.
if [ -z "${INSIDE:-}" ]; then
    unshare --net --mount true 2>/dev/null || { echo "no namespaces can be made here"; exit 77; }
    exec 8</proc/self/ns/net # the machine's network, for online
    INSIDE=1 exec unshare --net --mount bash "$0" "$@"
fi
online() { nsenter --net=/proc/self/fd/8 "$@"; }
ip link set lo up
layer=$(mktemp -d)
mount -t tmpfs -o mode=755 none "$layer"
for folder in "$SOURCE" ${LAYERS:-}; do
    above=$layer/${folder//\//_}
    mkdir "$above" "$above.scratch"
    mount -t overlay -o "lowerdir=$folder,upperdir=$above,workdir=$above.scratch" none "$folder" ||
        { echo "nothing can be laid over $folder"; exit 77; }
done
leave() { cd / && umount -l "$SOURCE" ${LAYERS:-} "$layer" && rmdir "$layer"; }
