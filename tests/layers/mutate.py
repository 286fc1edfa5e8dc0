import os,random,sys,bz2
src,dst,n=sys.argv[1:4]; n=int(n); random.seed(int(sys.argv[4]) if len(sys.argv)>4 else 1)
os.makedirs(dst,exist_ok=True)
def fix(b,o):
    blk=bytearray(b[o:o+512])
    if len(blk)<512: return b
    blk[148:156]=b' '*8; s=sum(blk); blk[148:156]=b'%06o\0 '%s
    return b[:o]+bytes(blk)+b[o+512:]
files=[]
for d in src.split(':'):
    for f in sorted(os.listdir(d)):
        p=os.path.join(d,f)
        if f.endswith('.tar') and '-big' not in f and os.path.getsize(p)<200000: files.append(p)
i=0
for p in files:
    base=open(p,'rb').read()
    for k in range(n):
        b=base
        for _ in range(random.choice([0,1,1,2,3]) if k else 0):
            m=random.randrange(7)
            if not b: break
            blocks=len(b)//512
            o=random.randrange(max(blocks,1))*512
            if m==0: b=b[:random.randrange(len(b))]
            elif m==1:
                q=random.randrange(len(b)); b=b[:q]+bytes([random.choice([0,32,48,55,56,255,128,random.randrange(256)])])+b[q+1:]
            elif m in(2,3):
                q=o+random.choice(list(range(100,157))+list(range(257,265))+list(range(329,512))+[0,99,99,156,156,156])
                if q<len(b):
                    v=random.choice([0,32,45,48,49,55,56,255,128,random.randrange(256)])
                    if q-o==156: v=random.choice(b'01234567gxLKSDMVAN\0')
                    b=b[:q]+bytes([v])+b[q+1:]
                b=fix(b,o)
            elif m==4: b=b[:o]+b[o+512:]
            elif m==5: b=b[:o]+b[o:o+512]+b[o:]
            else:
                q=o+random.randrange(512)
                if q<len(b) and 48<=b[q]<58: b=b[:q]+bytes([random.choice(b'0123456789')])+b[q+1:]
        open(os.path.join(dst,f'{i:06d}.tar'),'wb').write(b); i+=1
print(i)
