# wraps model to count
import collections, atexit
from tests.jobs import queue_model as q
C=collections.Counter()
def wrap(name):
    f=getattr(q.Model,name)
    def g(self,*a):
        if name=='replace': C['replace_lapsed']+= a[0].lease_until is not None and not a[0].runs(a[2]); C['replace_running']+=a[0].runs(a[2])
        if name=='claim': C['claim_died']+=a[0].attempts>=a[0].max_attempts; C['reclaim']+=a[0].lease_until is not None
        if name=='settle': C['settle_late']+= not a[0].runs(a[3]); C[a[1]]+=1
        r=f(self,*a)
        C[name]+=1
        if name=='obstacle': C[r]+=1
        return r
    setattr(q.Model,name,g)
for n in ('replace','claim','settle','cancel','replay','sweep','obstacle'): wrap(n)
atexit.register(lambda: print(dict(C)))
